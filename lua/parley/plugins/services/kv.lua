-- kv: what a plugin keeps beyond a session. Reads see the database; writes are part of the turn's
-- transaction, with its reply: both happen, or neither.

local gate = require "parley.plugins.gate"
local json = require "host.json"
local time = require "host.time"

local M = {}

local KEY_MAX = 256
local VALUE_MAX = 16 * 1024 -- bytes of JSON
local KEYS_MAX = 10000      -- of one plugin
local WRITES_MAX = 50       -- of one event
local TTL_MAX = 366 * 86400

local SCOPES = {
  plugin = function() return "" end,
  dialog = function(invocation) return "dialog:" .. invocation.dialog_id end,
  user = function(invocation) return "user:" .. invocation.user.id end,
}

local function place(invocation, key, options)
  if type(key) ~= "string" or key == "" or #key > KEY_MAX then
    return gate.refuse("invalid", "kv: the key is a text of 1 to %d bytes", KEY_MAX)
  end
  -- What PostgreSQL cannot keep, no database keeps.
  if key:find("\0", 1, true) or not json.encode(key) then
    return gate.refuse("invalid", "kv: the key is UTF-8 without NUL")
  end
  if options ~= nil and type(options) ~= "table" then
    return gate.refuse("invalid", "kv: the options are a table { scope =, ttl = }")
  end
  local name = options and options.scope or "plugin"
  local scope = SCOPES[name]
  if not scope then
    return gate.refuse("invalid", "kv: scope: 'plugin', 'dialog' or 'user' expected, got '%s'",
      tostring(name))
  end
  return scope(invocation)
end

local function pending(invocation, scope, key)
  local writes = invocation.writes
  for i = #writes, 1, -1 do
    if writes[i].scope == scope and writes[i].key == key then return writes[i] end
  end
end

local function stored(invocation, scope, key)
  return invocation.db:first("SELECT value FROM kv WHERE plugin = $1 AND scope = $2 AND key = $3 "
    .. "AND (expires_at IS NULL OR expires_at > $4)", invocation.manifest.name, scope, key,
    time.now_ms())
end

local function get(invocation, key, options)
  local scope, err = place(invocation, key, options)
  if not scope then return nil, err end
  local write = pending(invocation, scope, key)
  if write then return write.value and json.decode(write.value) end
  local row
  row, err = stored(invocation, scope, key)
  if not row then return nil, err end
  return json.decode(row.value)
end

-- Room for one more key; a key that is there already needs none.
local function has_room(invocation, scope, key)
  local row, err = stored(invocation, scope, key)
  if row or err then return row ~= nil, err end
  local new = 0
  for _, w in ipairs(invocation.writes) do if w.value then new = new + 1 end end
  row, err = invocation.db:first("SELECT count(*) AS n FROM kv WHERE plugin = $1",
    invocation.manifest.name)
  if not row then return nil, err end
  if row.n + new >= KEYS_MAX then
    return gate.refuse("quota", "kv: at most %d keys", KEYS_MAX)
  end
  return true
end

local function add(invocation, write)
  if #invocation.writes >= WRITES_MAX then
    return gate.refuse("quota", "kv: more than %d writes in one event", WRITES_MAX)
  end
  invocation.writes[#invocation.writes + 1] = write
  return true
end

local function set(invocation, key, value, options)
  local scope, err = place(invocation, key, options)
  if not scope then return nil, err end
  if value == nil then
    return gate.refuse("invalid", "kv: there is no value; kv:delete takes a key away")
  end
  local text
  text, err = json.encode(value)
  if not text then return gate.refuse("invalid", "kv: %s", err.message) end
  if #text > VALUE_MAX then
    return gate.refuse("too_large", "kv: the value has %d bytes as JSON, at most %d are allowed",
      #text, VALUE_MAX)
  end
  local ttl = options and options.ttl
  if ttl ~= nil and not (type(ttl) == "number" and ttl > 0 and ttl <= TTL_MAX) then
    return gate.refuse("invalid", "kv: ttl: seconds expected, up to %d", TTL_MAX)
  end
  local ok
  ok, err = has_room(invocation, scope, key)
  if not ok then return nil, err end
  return add(invocation, {
    scope = scope, key = key, value = text,
    expires_at = ttl and time.now_ms() + math.floor(ttl * 1000) or nil,
  })
end

local function delete(invocation, key, options)
  local scope, err = place(invocation, key, options)
  if not scope then return nil, err end
  return add(invocation, { scope = scope, key = key })
end

gate.register("kv.get", { permission = "kv", run = get })
gate.register("kv.set", { permission = "kv", run = set })
gate.register("kv.delete", { permission = "kv", run = delete })

---The statement of one write, for the turn's transaction.
---@param plugin string
---@param write {scope: string, key: string, value: string|nil, expires_at: integer|nil}
function M.statement(plugin, write)
  if not write.value then
    return {
      "DELETE FROM kv WHERE plugin = $1 AND scope = $2 AND key = $3", plugin, write.scope,
      write.key,
    }
  end
  return {
    "INSERT INTO kv (plugin, scope, key, value, expires_at) VALUES ($1, $2, $3, $4, $5) "
      .. "ON CONFLICT (plugin, scope, key) DO UPDATE SET value = excluded.value, "
      .. "expires_at = excluded.expires_at",
    plugin, write.scope, write.key, write.value, write.expires_at, n = 5,
  }
end

return M
