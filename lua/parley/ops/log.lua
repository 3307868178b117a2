-- Log lines: JSON on stderr, one per event, with the trace id.

local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}

local RANK = { debug = 1, info = 2, warn = 3, error = 4 }
local threshold = RANK.info

---@param level string
function M.level(level) threshold = RANK[level] end

---@param level string debug, info, warn, error
---@param message string
---@param fields table|nil
function M.write(level, message, fields)
  if RANK[level] < threshold then return end
  local line = {}
  for k, v in pairs(fields or {}) do line[k] = v end
  line.time, line.level, line.msg = time.rfc3339(), level, message
  line.trace_id = line.trace_id or task.trace()
  io.stderr:write(json.encode(line) or message, "\n")
end

return M
