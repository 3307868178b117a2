-- The session: what a plugin keeps between events, for as long as its manifest says (`session`).
--
-- One of scope "dialog" is in dialogs.state, beside those of the other plugins. Names that begin
-- with two underscores are the host's own there: `__owner` waits for the next message, `__until`
-- says when sessions end, `__versions` of which version their data are, where that is not 1. One of
-- scope "user" is a row of `sessions`, read when its plugin is
-- asked. A dialog is one chat, so that "chat" is the same as "dialog".

local given = require "parley.schema.given"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@type integer bytes as JSON: it is read and written with every message of the dialog
M.MAX = 65536

local function of_user(plugin)
  local s = plugin.manifest.session
  return s ~= nil and s.scope == "user"
end

local function ends_at(plugin)
  local s = plugin.manifest.session
  return s and s.ttl and time.now_ms() + s.ttl * 1000 or nil
end

---Drops what has had its time.
---@param dialog {state: table}
function M.expire(dialog)
  local state, now = dialog.state, time.now_ms()
  for name, at in pairs(state.__until or {}) do
    if at <= now then
      state[name], state.__until[name] = nil, nil
      if state.__versions then state.__versions[name] = nil end
      if state.__owner == name then state.__owner = nil end
    end
  end
end

---Reads the session of a user, when the plugin's is one.
---@param db table
---@param turn table
---@param plugin parley.Plugin
---@return boolean|nil ok
---@return table|nil err
function M.load(db, turn, plugin)
  turn.sessions = turn.sessions or {}
  if not of_user(plugin) or turn.sessions[plugin.name] then return true end
  local row, err = db:first("SELECT state, version, expires_at, data_version FROM sessions "
    .. "WHERE plugin = $1 AND user_id = $2", plugin.name, turn.user.id)
  if err then return nil, err end
  local valid = row and (not row.expires_at or row.expires_at > time.now_ms())
  turn.sessions[plugin.name] = {
    version = row and row.version, state = valid and json.decode(row.state) or nil,
    expires_at = row and row.expires_at, data_version = valid and row.data_version or nil,
  }
  return true
end

---What the plugin keeps now; of a user's it must have been loaded.
---@param turn table
---@param plugin parley.Plugin
---@return table|nil session nil: there is none
function M.of(turn, plugin)
  if of_user(plugin) then return turn.sessions[plugin.name].state end
  return turn.dialog.state[plugin.name]
end

---Which version of the plugin's data the session is of.
---@param turn table
---@param plugin parley.Plugin
---@return integer
function M.version_of(turn, plugin)
  if of_user(plugin) then return turn.sessions[plugin.name].data_version or 1 end
  local versions = turn.dialog.state.__versions
  return versions and versions[plugin.name] or 1
end

local function note_version(state, name, version)
  local versions = state.__versions or {}
  versions[name] = version ~= 1 and version or nil
  state.__versions = next(versions) and versions or nil
end

---What a session will be after an answer.
---@param before table|nil
---@param response table `state`: a patch in which null deletes; `end`: nothing is kept
---@return table|nil after nil: there is none
function M.after(before, response)
  if response["end"] then return nil end
  if not response.state or next(response.state) == nil then return before end
  local after = {}
  for key, value in pairs(before or {}) do after[key] = value end
  for key, value in pairs(response.state) do
    if value == json.null then value = nil end
    after[key] = value
  end
  return next(after) ~= nil and after or nil
end

---What stands against a session, by the schema of the plugin's own manifest. A conversation that
---waits (`__state`) is the host's matter.
---@param plugin parley.Plugin
---@param after table|nil
---@return string|nil problem
function M.problem(plugin, after)
  local s = plugin.manifest.session
  if not s or not s.schema or not after then return nil end
  plugin.session_check = plugin.session_check or assert(given.compile(s.schema))
  local value = {}
  for key, v in pairs(after) do
    if key ~= "__state" then value[key] = v end
  end
  local errors = plugin.session_check(value)
  return errors and ("state%s: %s"):format(errors[1].path:gsub("/", "."), errors[1].message)
end

-- Whoever waits for the next message in a state of its own gets it first.
local function own(state, name, after)
  if after and after.__state then
    state.__owner = name
  elseif state.__owner == name then
    state.__owner = nil
  end
end

---Puts another session in the place of one, of another version of the data.
---@param turn table
---@param plugin parley.Plugin
---@param data table|nil
---@param version integer
function M.replace(turn, plugin, data, version)
  if of_user(plugin) then
    local s = turn.sessions[plugin.name]
    s.state, s.data_version, s.kept = data, version, true
  else
    turn.dialog.state[plugin.name] = data
    note_version(turn.dialog.state, plugin.name, data and version or 1)
  end
  own(turn.dialog.state, plugin.name, data)
end

---Takes what a plugin has answered into its session. That it has answered makes it live on.
---@param turn table
---@param plugin parley.Plugin
---@param response table
function M.keep(turn, plugin, response)
  local state, name = turn.dialog.state, plugin.name
  local before = M.of(turn, plugin)
  local after, until_ms = M.after(before, response), ends_at(plugin)
  -- One that a newer version has left, and that this one goes on with, is still of the newer.
  local version = before and M.version_of(turn, plugin) or plugin.manifest.data_version
  if of_user(plugin) then
    local s = turn.sessions[name]
    s.state, s.expires_at, s.data_version = after, until_ms, version
    s.kept = s.kept or after ~= before or until_ms ~= nil
  else
    state[name] = after
    note_version(state, name, after and version or 1)
    local ends = state.__until or {}
    ends[name] = after and until_ms or nil
    state.__until = next(ends) and ends or nil
  end
  own(state, name, after)
end

local function write(plugin, user_id, s)
  if not s.version then
    return s.state and {
      "INSERT INTO sessions (plugin, user_id, state, version, expires_at, data_version) "
        .. "VALUES ($1, $2, $3, 1, $4, $5)", plugin, user_id, json.encode(s.state), s.expires_at,
      s.data_version, n = 5,
    }
  elseif not s.state then
    return {
      "DELETE FROM sessions WHERE plugin = $1 AND user_id = $2 AND version = $3", plugin, user_id,
      s.version, expect = 1,
    }
  end
  return {
    "UPDATE sessions SET state = $4, version = $3 + 1, expires_at = $5, data_version = $6 "
      .. "WHERE plugin = $1 AND user_id = $2 AND version = $3", plugin, user_id, s.version,
    json.encode(s.state), s.expires_at, s.data_version, n = 6, expect = 1,
  }
end

---What the sessions of users need in the turn's transaction. Two dialogs of a user may change one
---at the same time: then one of the turns is attempted again.
---@param turn table
---@param out table[] statements
function M.statements(turn, out)
  for name, s in pairs(turn.sessions or {}) do
    local statement = s.kept and write(name, turn.user.id, s)
    if statement then
      statement.contended = true
      out[#out + 1] = statement
    end
  end
end

return M
