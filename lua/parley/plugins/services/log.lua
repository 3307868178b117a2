-- log: lines of a plugin in the host's log, a few for each event.

local gate = require "parley.plugins.gate"
local host_log = require "parley.ops.log"

local LINES = 20
local MESSAGE_MAX = 2000

local LEVELS = { debug = true, info = true, warn = true, error = true }

gate.register("log", {
  run = function(invocation, level, message, fields)
    if not LEVELS[level] then return gate.refuse("invalid", "log: unknown level") end
    invocation.log_lines = (invocation.log_lines or 0) + 1
    if invocation.log_lines > LINES then
      return gate.refuse("quota", "log: more than %d lines in one event", LINES)
    end
    host_log.write(level, tostring(message):sub(1, MESSAGE_MAX), {
      plugin = invocation.manifest.name, dialog_id = invocation.dialog_id,
      trace_id = invocation.trace_id, fields = type(fields) == "table" and fields or nil,
    })
    return true
  end,
})
