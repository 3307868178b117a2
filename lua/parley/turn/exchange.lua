-- What a plugin was asked and has answered, for people who look for a mistake: in its row of
-- plugin_calls, of calls that have failed, or as the configuration says (`record_calls`).

local json = require "host.json"
local utf8 = require "parley.util.utf8"

local M = {}

local MAX = 16384 -- bytes of each

-- Values that no JSON can say are what some failures are about.
local function text_of(value)
  local text, err = json.encode(value)
  if not text then text = json.encode { not_json = err.message } end
  if #text <= MAX then return text end
  return (json.encode { bytes = #text, begins = utf8.clip(text, MAX / 2) })
end

---@param config table `record_calls`: "none", "failed" or "all"
---@param call table the row of plugin_calls; gets `request` and `response`
---@param asked {request: table, response: any}|nil nil: it was not called at all
function M.record(config, call, asked)
  local want = config.record_calls
  if not asked or want == "none" or (want == "failed" and call.status ~= "failed") then return end
  local request = {}
  -- The operator's settings, what other rows have, and links that open files are left out.
  for key, value in pairs(asked.request) do
    if key ~= "config" and key ~= "history" and key ~= "files" then request[key] = value end
  end
  call.request = text_of(request)
  if asked.response ~= nil then call.response = text_of(asked.response) end
end

return M
