-- What a core in this process logs as an error that is its own: a fuzzer takes it for a failure.

local json = require "host.json"
local log = require "parley.ops.log"

local M = {}
M.__index = M

---@param is_wanted (fun(message: string): boolean)|nil further lines that count, of any level
---@return fuzz.LogWatch
function M.start(is_wanted)
  local self = setmetatable({ write = log.write, said = {} }, M)
  log.write = function(level, message, fields)
    local own = level == "error" and not (fields and fields.plugin)
    if not own and not (is_wanted and is_wanted(message)) then
      return self.write(level, message, fields)
    end
    self.said[fields and fields.dialog_id or "any"] = message .. " " .. (json.encode(fields) or "")
  end
  return self
end

---What was said in a dialog, or of none; it is said once.
---@param dialog string|nil
---@return string|nil
function M:take(dialog)
  local key = dialog and self.said[dialog] and dialog or "any"
  local message = self.said[key]
  self.said[key] = nil
  return message
end

function M:stop() log.write = self.write end

return M
