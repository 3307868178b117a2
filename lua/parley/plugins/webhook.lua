-- Signatures of outgoing calls, as Standard Webhooks has them: HMAC-SHA256 over "id.timestamp.body"
-- in base64, behind "v1,". Secrets are "whsec_" and the base64 of 24 to 64 random bytes.

local crypto = require "host.crypto"

local M = {}

local PREFIX = "whsec_"

---The key of a secret.
---@param secret string
---@return string|nil key raw bytes
---@return string|nil problem
function M.key(secret)
  local expected = "expected '" .. PREFIX .. "' and the base64 of 24 to 64 random bytes"
  if type(secret) ~= "string" or secret:sub(1, #PREFIX) ~= PREFIX then return nil, expected end
  local key = crypto.unbase64(secret:sub(#PREFIX + 1))
  if not key or #key < 24 or #key > 64 then return nil, expected end
  return key
end

---The secret of a key of 24 to 64 bytes.
---@param key string raw bytes
function M.secret(key) return PREFIX .. crypto.base64(key) end

---A new secret.
function M.new_secret() return M.secret(crypto.random(32)) end

---@param key string from M.key
---@param id string webhook-id
---@param timestamp integer seconds since 1970, webhook-timestamp
---@param body string
---@return string webhook-signature
function M.sign(key, id, timestamp, body)
  local text = ("%s.%d.%s"):format(id, timestamp, body)
  return "v1," .. crypto.base64(crypto.hmac_sha256(key, text))
end

return M
