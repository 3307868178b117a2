-- Files of plugins: what users have sent, and what is to be sent to them. The bytes are in the
-- home, data/blobs, once each however often they come; a row of table `blobs` says whose they are
-- and until when. The id of a row cannot be guessed: who knows it may send the file.

local blob = require "host.blob"
local crypto = require "host.crypto"
local fs = require "host.fs"
local mime = require "parley.blobs.mime"
local time = require "host.time"

local M = {}
M.__index = M

local MB = 1024 * 1024

---@class parley.Blob
---@field id string
---@field hash string SHA-256, in hex
---@field plugin string
---@field user_id string|nil
---@field size integer
---@field type string media type, as the first bytes say
---@field name string|nil
---@field created_at integer
---@field expires_at integer

---@param deps {db: table, home: string, config: table} config: files of parley.config
function M.new(deps)
  return setmetatable({
    db = deps.db, config = deps.config, folder = deps.home .. "/data/blobs",
  }, M)
end

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "files" }
end

---@param hash string
---@return string path
function M:path(hash) return ("%s/%s/%s"):format(self.folder, hash:sub(1, 2), hash) end

---@return number bytes that one file may have
function M:max() return self.config.max_mb * MB end

local USED = "SELECT coalesce(CAST(sum(size) AS BIGINT), 0) AS of_all, "
  .. "coalesce(CAST(sum(CASE WHEN plugin = $1 THEN size ELSE 0 END) AS BIGINT), 0) AS of_plugin, "
  .. "coalesce(CAST(sum(CASE WHEN user_id = $2 THEN size ELSE 0 END) AS BIGINT), 0) AS of_user "
  .. "FROM blobs WHERE expires_at > $3"

---Whether there is room for so many bytes more.
---@param owner {plugin: string, user_id: string|nil}
---@param size number
---@return boolean|nil ok
---@return table|nil err "quota", "too_large", or of the database
function M:room(owner, size)
  local c = self.config
  if size > self:max() then
    return refuse("too_large", "the file has %d bytes, at most %d are allowed (files.max_mb)", size,
      self:max())
  end
  local used, err = self.db:first(USED, owner.plugin, owner.user_id or "", time.now_ms())
  if not used then return nil, err end
  for _, limit in ipairs {
    { used.of_user, "user_mb" }, { used.of_plugin, "plugin_mb" }, { used.of_all, "total_mb" },
  } do
    if limit[1] + size > c[limit[2]] * MB then
      return refuse("quota", "there is no room for %d bytes more: files.%s is %g", size, limit[2],
        c[limit[2]])
    end
  end
  return true
end

---Whether a file of this type may be kept.
---@param kind string media type
---@return boolean|nil ok
---@return table|nil err
function M:check_type(kind)
  if not self.config.types then return true end
  for _, allowed in ipairs(self.config.types) do
    local family = allowed:match "^(.-/)%*$"
    if kind == allowed or family and kind:sub(1, #family) == family then return true end
  end
  return refuse("type", "files of the type '%s' are not allowed (files.types)", kind)
end

---Begins a file.
---@return userdata|nil writer of host.blob
---@return table|nil err
function M:create()
  local ok, err = fs.mkdir(self.folder, 448) -- 0700
  if not ok then return nil, err end
  return blob.create(self.folder)
end

---Keeps what was written.
---@param writer userdata it is finished, or given up, by this
---@param owner {plugin: string, user_id: string|nil}
---@param about {type: string, name: string|nil, ttl: number|nil, id: string|nil} ttl: seconds, at
---  most that of the configuration; id: that it gets, which nobody can guess; default: a new one
---@return parley.Blob|nil
---@return table|nil err
function M:keep(writer, owner, about)
  local ok, err = self:check_type(about.type)
  if ok then ok, err = self:room(owner, writer:size()) end
  if not ok then
    writer:abort()
    return nil, err
  end
  local file
  file, err = writer:finish()
  if not file then return nil, err end
  local now = time.now_ms()
  local ttl = math.min(about.ttl or math.huge, self.config.ttl_seconds)
  local row = {
    id = about.id or crypto.base64url(crypto.random(18)), hash = file.hash, plugin = owner.plugin,
    user_id = owner.user_id, size = file.size, type = about.type, name = about.name,
    created_at = now, expires_at = now + math.floor(ttl * 1000),
  }
  ok, err = self.db:commit { {
    "INSERT INTO blobs (id, hash, plugin, user_id, size, type, name, created_at, expires_at) "
      .. "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    row.id, row.hash, row.plugin, row.user_id, row.size, row.type, row.name, row.created_at,
    row.expires_at, n = 9,
  } }
  if not ok then return nil, err end
  return row
end

---Keeps a text, or other bytes, as a file.
---@param data string
---@param owner {plugin: string, user_id: string|nil}
---@param about {type: string|nil, name: string|nil, ttl: number|nil}
---@return parley.Blob|nil
---@return table|nil err
function M:put(data, owner, about)
  local ok, err = self:room(owner, #data)
  if not ok then return nil, err end
  local writer
  writer, err = self:create()
  if not writer then return nil, err end
  ok, err = writer:write(data)
  if not ok then
    writer:abort()
    return nil, err
  end
  return self:keep(writer, owner, {
    type = about.type or mime.of(data, about.name), name = about.name, ttl = about.ttl,
  })
end

---@param id string
---@return parley.Blob|nil blob nil without err: there is none, or its time has passed
---@return table|nil err
function M:get(id)
  return self.db:first("SELECT * FROM blobs WHERE id = $1 AND expires_at > $2", id, time.now_ms())
end

---Takes a file away. Its bytes go with the next sweep.
---@param id string
---@param plugin string whose it is
---@return boolean|nil ok
---@return table|nil err
function M:delete(id, plugin)
  local ok, err = self.db:commit {
    { "DELETE FROM blobs WHERE id = $1 AND plugin = $2", id, plugin },
  }
  return ok and true, err
end

return M
