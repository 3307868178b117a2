-- Says which handlers keep people waiting, and what they have waited for themselves.

local time = require "host.time"

local M = {}

local QUIET_S = 60 -- of a plugin that is always slow one line in so long is enough

-- What it has spent at each service of the door, the longest first: "http 1.20 s, kv.get 0.01 s".
local function waits(waited)
  local names, parts = {}, {}
  for name in pairs(waited) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    if waited[a] ~= waited[b] then return waited[a] > waited[b] end
    return a < b
  end)
  for i, name in ipairs(names) do parts[i] = ("%s %.2f s"):format(name, waited[name]) end
  return table.concat(parts, ", ")
end

---@param plugin parley.Plugin
---@param call {event: string, seconds: number, waited: table<string, number>, limit: number,
---  trace_id: string, dialog_id: string} waited: seconds at services of the door, by name
---@param log fun(level: string, message: string, fields: table)
function M.note(plugin, call, log)
  if call.seconds < call.limit then return end
  local told = plugin.slow or { more = 0 }
  plugin.slow = told
  local now = time.mono()
  if told.at and now - told.at < QUIET_S then
    told.more = told.more + 1
    return
  end
  local outside = 0
  for _, seconds in pairs(call.waited) do outside = outside + seconds end
  log("warn", "a handler was slow", {
    plugin = plugin.name, event = call.event, seconds = call.seconds,
    waited_for = next(call.waited) and waits(call.waited) or nil,
    own_seconds = math.max(0, call.seconds - outside), more_since = told.more,
    trace_id = call.trace_id, dialog_id = call.dialog_id,
  })
  told.at, told.more = now, 0
end

return M
