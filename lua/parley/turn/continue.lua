-- A plugin that answers 202 brings its actions later: the turn is stored without them, and what
-- comes is a turn of its own in the same dialog and trace.
--
-- The token is the plugin's choice. It is kept as a hash together with the plugin's name, so that
-- no plugin can use, or find out, a token of another one.

local crypto = require "host.crypto"
local record = require "parley.turn.record"
local response_of = require "parley.turn.response"
local session = require "parley.turn.session"
local time = require "host.time"

local M = {}

---@param plugin string
---@param token string
---@return string
function M.hash(plugin, token) return crypto.hex(crypto.sha256(plugin .. "\0" .. token)) end

local FIND = "SELECT * FROM continuations WHERE token_hash = $1"

---@param db table
---@param hash string
---@return table|nil row nil without an error: there is none
---@return table|nil err
function M.find(db, hash) return db:first(FIND, hash) end

---Notes that a plugin will go on later. A token stands for one turn.
---@param db table
---@param turn table
---@param plugin parley.Plugin
---@param invocation_id string
---@param response table with the token in `continue`
---@param seconds number that the plugin has
---@return table|nil response
---@return table|nil PluginError
function M.note(db, turn, plugin, invocation_id, response, seconds)
  local hash = M.hash(plugin.name, response.continue)
  local row, err = M.find(db, hash)
  if err then return nil, err end
  for _, c in ipairs(turn.continuations) do row = row or (c.token_hash == hash and c) end
  if row then
    return nil, {
      code = "invalid_response", retryable = false, plugin = plugin.name,
      message = "continue: the token was used before, each stands for one turn",
    }
  end
  turn.continuations[#turn.continuations + 1] = {
    token_hash = hash, plugin = plugin.name, invocation_id = invocation_id,
    expires_at = time.now_ms() + math.floor(seconds * 1000),
  }
  return response
end

---What stands against going on now.
---@param row table of continuations
---@param reset_version integer of the dialog
---@return table|nil problem {code, message}
function M.problem(row, reset_version)
  if row.done_at then
    return { code = "continuation_done", message = "the actions of this turn have come already" }
  elseif row.expires_at <= time.now_ms() then
    return { code = "continuation_expired", message = "the actions of this turn come too late" }
  elseif row.reset_version ~= reset_version then
    return { code = "continuation_expired", message = "the dialog was reset since" }
  end
end

-- Which of a plugin's mistakes are the request's, to be corrected and sent again.
local REFUSED = {
  invalid_response = "validation_failed", too_large = "too_large", permission = "forbidden",
}

-- The plugin says that it has failed, after all, or has let its time pass.
local function failed(turn, plugin, err, calls)
  turn.status = "failed"
  record.failure(turn, turn.continued.plugin, err, turn.continued.invocation_id)
  local response = plugin and calls:instead(plugin)
  return response and { { actions = response.actions } } or {}
end

-- Nothing has come in time. Whoever has reset the dialog does not wait for it any more.
local function overdue(turn, row, plugin, calls)
  if row.done_at or row.expires_at > time.now_ms() then
    return nil, { code = "conflict", message = "the actions have come" }
  end
  if row.reset_version ~= turn.dialog.reset_version then plugin = nil end
  return failed(turn, plugin,
    { code = "timeout", message = "it has answered 202 and brought no actions in time" }, calls)
end

---Takes the late answer into a turn.
---@param db table
---@param turn table in the lane of its dialog; `continued`: the row, `late`: the answer,
---  nil: there is none, and its time has passed
---@param generation parley.Generation
---@param calls {settle: (fun(response: table, plugin: parley.Plugin): parley.Part[]),
---  instead: fun(failed: parley.Plugin): table|nil}
---@return parley.Part[]|nil parts
---@return table|nil err {code, message} of the request
function M.parts(db, turn, generation, calls)
  -- Again: the same actions may have come twice, and those before have left the lane just now.
  local row, failure = M.find(db, turn.continued.token_hash)
  if not row then return nil, failure or { code = "continuation_not_found" } end
  local plugin = generation.chooser.by_name[row.plugin]
  if not turn.late then return overdue(turn, row, plugin, calls) end
  local problem = M.problem(row, turn.dialog.reset_version)
  if problem then return nil, problem end
  if not plugin or plugin.state == "disabled" then
    return nil, { code = "forbidden", message = "the plugin is disabled" }
  end
  local read
  read, failure = session.load(db, turn, plugin)
  if not read then return nil, failure end
  local response, err = response_of.check(plugin, turn.late, session.of(turn, plugin))
  if not response then
    if REFUSED[err.code] then return nil, { code = REFUSED[err.code], message = err.message } end
    return failed(turn, plugin, err, calls)
  end
  turn.status = "answered"
  record.event(turn, plugin.name, "plugin_invocation_completed", "info",
    { invocation_id = row.invocation_id })
  return calls:settle(response, plugin)
end

return M
