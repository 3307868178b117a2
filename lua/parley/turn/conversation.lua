-- What the host does for conversations of Lua plugins (sdk/conversation.lua): one goes on with the
-- code that it has begun with, whatever serves by then, and its time runs out by a durable job.
--
-- A conversation that waits is `__talk` in the plugin's session; `bundle` in it is the hash of that
-- code. While it waits all events of the dialog go to that code: the session is of its form. When
-- that code was taken back, or is not there any more, the one that serves tries to go on.

local crypto = require "host.crypto"
local session = require "parley.turn.session"
local time = require "host.time"

local M = {}

---@type string job that ends a wait; plugins cannot name one like it
M.WAKE = "__talk"

local WAKE_MAX_S = 366 * 86400

---The code of the conversation that waits here.
---@param turn table
---@param plugin parley.Plugin
---@return string|nil hash nil: none waits
function M.bundle(turn, plugin)
  local kept = session.of(turn, plugin)
  local bundle = kept and type(kept.__talk) == "table" and kept.__talk.bundle
  -- The session is the plugin's to write: what is no hash there is nobody's code.
  if type(bundle) ~= "string" or #bundle ~= 64 or bundle:find "%X" then return nil end
  return bundle
end

---Who is to take an event of this dialog.
---@param pinned parley.Pinned
---@param turn table
---@param plugin parley.Plugin
---@return table|nil driver nil: the database could not be asked
---@return string|table hash of its code; or the err
---@return string|nil moved why it is not the code that the conversation has begun with
function M.driver(pinned, turn, plugin)
  local bundle = M.bundle(turn, plugin)
  if not bundle or bundle == plugin.hash then return plugin.driver, plugin.hash end
  local driver, err = pinned:get(plugin, bundle)
  if driver then return driver, bundle end
  if err.retryable then return nil, err end
  -- Without the old code the new one tries: where the two differ, the journal tells.
  return plugin.driver, plugin.hash, err.message
end

---Adds to an error of a plugin what an author would look for in the wrong place.
---@param turn table
---@param plugin parley.Plugin
---@param err table PluginError, changed in place
function M.explain(turn, plugin, err)
  if err.code ~= "cpu_limit" or not M.bundle(turn, plugin) then return end
  err.message = err.message .. ": a conversation is run again from its beginning with each answer, "
    .. "and what it computes between its questions counts each time"
end

---Notes the code with which a conversation that waits has come this far: the next answer goes to
---the same, also when it is not what it has begun with.
---@param response table of the plugin
---@param hash string|nil of the code that has answered
function M.pin(response, hash)
  local talk = type(response.state) == "table" and response.state.__talk
  if type(talk) == "table" then talk.bundle = hash end
end

---@param wake any of a response
---@return string|nil problem
function M.problem(wake)
  if wake == nil then return nil end
  local after = type(wake) == "table" and wake["in"]
  if type(after) ~= "number" or not (after > 0 and after <= WAKE_MAX_S)
    or type(wake.data) ~= "table" then
    return "wake: { in: seconds, at most a year, data: an object } expected"
  end
end

---Schedules the end of a wait. One that is answered before finds nothing to end.
---@param turn table
---@param plugin parley.Plugin
---@param response table
function M.wake(turn, plugin, response)
  if not response.wake then return end
  turn.jobs[#turn.jobs + 1] = {
    id = crypto.uuid7(), plugin = plugin.name, job = M.WAKE, data = response.wake.data,
    run_at = time.now_ms() + math.floor(response.wake["in"] * 1000),
    data_version = plugin.manifest.data_version,
  }
end

return M
