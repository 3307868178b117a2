-- What a turn notes on its way: events for the audit, the inbox row that makes it durable early.

local commit = require "parley.turn.commit"
local crypto = require "host.crypto"
local json = require "host.json"
local time = require "host.time"
local utf8 = require "parley.util.utf8"

local M = {}

M.MESSAGE_MAX = 1024 -- bytes of an error's message in the audit and the log

---@return number milliseconds, to the microsecond
function M.ms_since(mono) return math.floor((time.mono() - mono) * 1e6 + 0.5) / 1e3 end

-- As in parley.store.audit.
local function row(turn, source, action, severity, details)
  return { crypto.uuid7(), source, action, severity, turn.trace_id, details, time.now_ms(), nil }
end

---An event of the turn: a row of audit_logs in its transaction.
function M.event(turn, source, action, severity, details)
  M.event_as(turn, source, action, severity, details and json.encode(details))
end

---The same with details that are JSON already.
---@param details string|nil
function M.event_as(turn, source, action, severity, details)
  turn.events[#turn.events + 1] = row(turn, source, action, severity, details)
end

---What a plugin has to tell, or has failed at: a row of plugin_events too. That it was called and
---has answered is in plugin_calls already.
function M.plugin_event(turn, plugin, action, severity, details)
  details = details and json.encode(details)
  M.event_as(turn, plugin, action, severity, details)
  turn.plugin_events = turn.plugin_events or {}
  turn.plugin_events[#turn.plugin_events + 1] = row(turn, plugin, action, severity, details)
end

---A call of a plugin that came to nothing.
---@param plugin string its name
---@param err table PluginErrorV1; some of its words may be the plugin's: what helps is kept
---@param invocation_id string|nil
function M.failure(turn, plugin, err, invocation_id)
  local action = err.code == "timeout" and "plugin_timeout" or "plugin_failed"
  M.plugin_event(turn, plugin, action, err.critical and "critical" or "error", {
    invocation_id = invocation_id, code = err.critical and "crash" or err.code,
    message = utf8.clip(err.message, M.MESSAGE_MAX),
    retryable = err.retryable == true, plugin = plugin, http_status = err.http_status,
    attempt = err.attempt,
  })
end

---What a language model has cost, added up over the turn.
---@param usage {prompt_tokens: integer, completion_tokens: integer, cost: number}
function M.usage(turn, usage)
  local sum = turn.usage or { prompt_tokens = 0, completion_tokens = 0, cost = 0 }
  for key, value in pairs(sum) do sum[key] = value + (usage[key] or 0) end
  turn.usage = sum
end

---Makes the message, or the attempt of a job, durable and holds its dialog, once, before anything
---outside can see an effect of it. When that fails the turn is over: `turn.lost` says why.
---@return boolean|nil ok
---@return table|nil err
function M.admit(db, turn)
  if turn.leased then return true end
  if turn.lost then return nil, turn.lost end
  turn.maybe_open = turn.key ~= nil -- a commit that fails may be stored nevertheless
  local ok, err = db:commit(commit.admission(turn))
  if not ok then
    turn.lost = err
    return nil, err
  end
  local d = turn.dialog
  turn.admitted, turn.leased = true, true
  d.version, d.is_new = d.is_new and 1 or d.version + 1, nil
  return true
end

return M
