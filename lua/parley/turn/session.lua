-- The session: what a plugin keeps between events, for as long as its manifest says (`session`), or
-- the configuration (`session_ttl_seconds`).
--
-- One of scope "dialog" is in dialogs.state, beside those of the other plugins. Names that begin
-- with two underscores are the host's own there: `__owner` waits for the next message, and
-- `__waits` says until when, `__below` who has waited before it and does again when it is done;
-- `__until` when sessions end, `__versions` of which version their data are, where that is not 1.
-- One of scope "user" is a row of `sessions`, read when its plugin is asked; `__waits` is in there,
-- too. A dialog is one chat, so that "chat" is the same as "dialog".
--
-- What has had its time is never seen: it goes when the dialog is read. What nobody reads is swept
-- (parley.turn.expired).

local given = require "parley.schema.given"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@type integer bytes as JSON: it is read and written with every message of the dialog
M.MAX = 65536

local WAIT_MAX_MS = 367 * 86400000

local function of_user(plugin)
  local s = plugin.manifest.session
  return s ~= nil and s.scope == "user"
end

local function ends_at(turn, plugin)
  local s = plugin.manifest.session
  local ttl = s and s.ttl or turn.session_ttl
  return ttl and time.now_ms() + ttl * 1000 or nil
end

local function nil_if_empty(t) return t and next(t) ~= nil and t or nil end

local BELOW_MAX = 5 -- plugins that wait behind the one that waits for the next message

-- The conversation of a plugin that has waited too long; the rest of its session stays.
local function end_wait(state, name)
  if not name or not state[name] then return end
  state[name].__state, state[name].__talk = nil, nil
  state[name] = nil_if_empty(state[name])
end

-- Who has waited before somebody else began another conversation waits again when that is over.
local function hand_back(state)
  state.__owner, state.__waits = nil, nil
  local below, now = state.__below or {}, time.now_ms()
  while #below > 0 and not state.__owner do
    local last = table.remove(below)
    if last.till <= now then
      end_wait(state, last.name)
    elseif state[last.name] and state[last.name].__state then
      state.__owner, state.__waits = last.name, last.till
    end
  end
  state.__below = nil_if_empty(below)
end

-- Another plugin waits for the next message from now on.
local function take_over(state, name)
  local below = state.__below or {}
  for i = #below, 1, -1 do
    if below[i].name == name then table.remove(below, i) end
  end
  if state.__owner and state.__owner ~= name and state.__waits then
    below[#below + 1] = { name = state.__owner, till = state.__waits }
    if #below > BELOW_MAX then end_wait(state, table.remove(below, 1).name) end
  end
  state.__below = nil_if_empty(below)
end

---Drops what has had its time.
---@param state table of a dialog
function M.expire(state)
  local now = time.now_ms()
  if state.__waits and state.__waits <= now then
    end_wait(state, state.__owner)
    hand_back(state)
  end
  for name, at in pairs(state.__until or {}) do
    if at <= now then
      state[name], state.__until[name] = nil, nil
      if state.__versions then state.__versions[name] = nil end
      if state.__owner == name then hand_back(state) end
      if state.__menu and state.__menu.plugin == name then state.__menu = nil end
    end
  end
  state.__until, state.__versions = nil_if_empty(state.__until), nil_if_empty(state.__versions)
end

---@type integer milliseconds: what says when a row is to be swept changes seldom, so that most
---  turns do not touch its index
M.SWEEP_MS = 3600000

---When something of a dialog will have had its time, and a little later.
---@param state table
---@return integer|nil at_ms nil: nothing ever
function M.expires_at(state)
  local first = state.__waits
  for _, at in pairs(state.__until or {}) do first = math.min(first or at, at) end
  return first and math.ceil(first / M.SWEEP_MS) * M.SWEEP_MS
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
  local now = time.now_ms()
  local valid = row and (not row.expires_at or row.expires_at > now)
  local state, waits = valid and json.decode(row.state) or nil, nil
  if state then
    waits, state.__waits = state.__waits, nil
    if waits and waits <= now then state.__state, state.__talk = nil, nil end
  end
  turn.sessions[plugin.name] = {
    version = row and row.version, state = state, waits = waits,
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
---waits (`__state`, `__talk`) is the host's matter.
---@param plugin parley.Plugin
---@param after table|nil
---@return string|nil problem
function M.problem(plugin, after)
  local s = plugin.manifest.session
  if not s or not s.schema or not after then return nil end
  plugin.session_check = plugin.session_check or assert(given.compile(s.schema))
  local value = {}
  for key, v in pairs(after) do
    if key ~= "__state" and key ~= "__talk" then value[key] = v end
  end
  local errors = plugin.session_check(value)
  return errors and ("state%s: %s"):format(errors[1].path:gsub("/", "."), errors[1].message)
end

-- A conversation whose question has its own time waits that long (sdk/conversation.lua).
local function waits_until(turn, after)
  local now, talk = time.now_ms(), after and after.__talk
  local own = type(talk) == "table" and tonumber(talk.till)
  return own and math.max(now, math.min(own, now + WAIT_MAX_MS))
    or now + turn.conversation_seconds * 1000
end

-- Whoever waits for the next message in a state of its own gets it first.
local function own(turn, name, after)
  local state = turn.dialog.state
  if after and after.__state then
    take_over(state, name)
    state.__owner, state.__waits = name, waits_until(turn, after)
  elseif state.__owner == name then
    hand_back(state)
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
  own(turn, plugin.name, data)
end

---Takes what a plugin has answered into its session. That it has answered makes it live on.
---@param turn table
---@param plugin parley.Plugin
---@param response table
function M.keep(turn, plugin, response)
  local state, name = turn.dialog.state, plugin.name
  local before = M.of(turn, plugin)
  local after, until_ms = M.after(before, response), ends_at(turn, plugin)
  -- One that a newer version has left, and that this one goes on with, is still of the newer.
  local version = before and M.version_of(turn, plugin) or plugin.manifest.data_version
  if of_user(plugin) then
    local s = turn.sessions[name]
    s.state, s.expires_at, s.data_version = after, until_ms, version
    s.waits = waits_until(turn, after)
    s.kept = s.kept or after ~= before or until_ms ~= nil
  else
    state[name] = after
    note_version(state, name, after and version or 1)
    local ends = state.__until or {}
    ends[name] = after and until_ms or nil
    state.__until = nil_if_empty(ends)
  end
  own(turn, name, after)
end

local function write(plugin, user_id, s)
  if s.state and s.state.__state then s.state.__waits = s.waits end
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
