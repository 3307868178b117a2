-- Links by which REST plugins fetch what people have sent: a path of this host, signed, for a
-- quarter of an hour. Who has the link has the file, so it names the plugin, the dialog and the
-- file that it is for, and is good for nothing else.

local crypto = require "host.crypto"
local json = require "host.json"
local time = require "host.time"
local utf8 = require "parley.util.utf8"

local M = {}
M.__index = M

local TTL_S = 900
local MAC_BYTES, ID_BYTES = 18, 18
local NAME_MAX, LINK_MAX = 128, 2048
local PATH = "/api/v1/files/"

---@class parley.FileLink
---@field plugin string
---@field dialog_id string
---@field user_id string
---@field file_id string of the channel
---@field kind string|nil what the channel calls it
---@field name string|nil
---@field size integer|nil as the channel says
---@field expires_at integer milliseconds
---@field blob_id string of the file, once it is here: the same for the same link

---@param master string secret of this host
function M.new(master)
  return setmetatable({ key = crypto.hmac_sha256(master, "file links") }, M)
end

local function mac(self, text)
  return crypto.base64url(crypto.hmac_sha256(self.key, text):sub(1, MAC_BYTES))
end

---@param link parley.FileLink without `expires_at` and `blob_id`
---@return string path
---@return integer expires_at milliseconds
function M:make(link)
  local expires_at = time.now_ms() + TTL_S * 1000
  local text = crypto.base64url(json.encode({
    p = link.plugin, d = link.dialog_id, u = link.user_id, f = link.file_id, k = link.kind,
    n = link.name and utf8.clip(link.name, NAME_MAX), s = link.size, e = expires_at,
  }, { sorted = true }))
  return PATH .. text .. "." .. mac(self, text), expires_at
end

---@param given string behind the last / of a path
---@return parley.FileLink|nil link nil: it was not made here
function M:read(given)
  if #given > LINK_MAX then return nil end
  local text, signature = given:match "^([%w_-]+)%.([%w_-]+)$"
  if not text or not crypto.equal(signature, mac(self, text)) then return nil end
  local value = json.decode(crypto.unbase64url(text))
  return {
    plugin = value.p, dialog_id = value.d, user_id = value.u, file_id = value.f, kind = value.k,
    name = value.n, size = value.s, expires_at = value.e,
    blob_id = crypto.base64url(crypto.hmac_sha256(self.key, "blob\0" .. text):sub(1, ID_BYTES)),
  }
end

---The files of a message, for the envelope of a plugin.
---@param turn table with its message
---@param plugin string
---@return table[]|nil files {file_id, path, expires_at, name, size, mime_type}
function M:of(turn, plugin)
  local payload = turn.message and turn.message.type ~= "event" and turn.message.payload
  if not payload then return nil end
  local out = json.array()
  for _, item in ipairs(payload.items or { payload }) do
    if type(item.file_id) == "string" then
      local path, expires_at = self:make {
        plugin = plugin, dialog_id = turn.dialog.id, user_id = turn.user.id, file_id = item.file_id,
        kind = item.kind, name = item.file_name, size = tonumber(item.file_size),
      }
      out[#out + 1] = {
        file_id = item.file_id, path = path, expires_at = time.rfc3339(expires_at),
        name = item.file_name, size = item.file_size, mime_type = item.mime_type,
      }
    end
  end
  return #out > 0 and out or nil
end

return M
