-- Secrets that the host must read again are kept sealed: AES-256-GCM under a key that is derived
-- from the installation's master key. What is stored names its key, so that a wrong master is told
-- from what was damaged, and is bound to its place, so that it opens nowhere else.

local crypto = require "host.crypto"
local secrets = require "parley.plugins.secrets"

local M = {}
M.__index = M

local NONCE_BYTES = 12
local FORM = "^v1%.(%x+)%.([%w_-]+)$"

---@class parley.Vault
---@field mark string of the master key

---@param master string of parley.plugins.secrets
---@return parley.Vault
function M.new(master)
  return setmetatable({
    key = crypto.hmac_sha256(master, "vault"), mark = secrets.mark(master),
  }, M)
end

---@param text string
---@param place string what it is, such as "bot:NAME": opening needs the same
---@return string sealed "v1.MARK.BASE64"
function M:seal(text, place)
  local nonce = crypto.random(NONCE_BYTES)
  local sealed = nonce .. crypto.aes_gcm_seal(self.key, nonce, text, place)
  return ("v1.%s.%s"):format(self.mark, crypto.base64url(sealed))
end

local function fail(code, message)
  return nil, { code = code, message = message, retryable = false, op = "vault" }
end

---@param sealed string
---@param place string
---@return string|nil text
---@return table|nil err `wrong_secret_key`, or `damaged`
function M:open(sealed, place)
  local mark, coded = sealed:match(FORM)
  if not mark then return fail("damaged", "what is stored is not in the form of this program") end
  if mark ~= self.mark then
    return fail("wrong_secret_key", "it was sealed under another secret_key: give this host the "
      .. "one of the others (PARLEY_SECRET_KEY, or data/secret-key of their home)")
  end
  local raw = crypto.unbase64url(coded)
  local text = raw and #raw > NONCE_BYTES and crypto.aes_gcm_open(self.key,
    raw:sub(1, NONCE_BYTES), raw:sub(NONCE_BYTES + 1), place)
  if not text then return fail("damaged", "what is stored has been changed, or moved") end
  return text
end

return M
