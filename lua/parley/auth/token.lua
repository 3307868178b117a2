-- Tokens: `prl_<kind>_<id>_<secret>`, shown once, kept as a bcrypt hash.
--
-- The last six characters of the secret are a checksum of the rest: junk is refused without a look
-- at the database. A token has 60 characters: bcrypt ignores what follows byte 72.

local bit = require "bit"
local crypto = require "host.crypto"

local M = {}

M.KINDS = { bot = true, plg = true, reg = true, adm = true }
M.SCOPES = {
  "dialogs:read", "dialogs:write", "users:read", "users:write", "plugins:read", "plugins:manage",
  "telemetry:write", "events:read", "admin",
}

local ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" -- Crockford's base32: nothing to confuse

local function base32(bytes)
  local out, value, bits = {}, 0, 0
  for i = 1, #bytes do
    value, bits = value * 256 + bytes:byte(i), bits + 8
    while bits >= 5 do
      bits = bits - 5
      local digit = bit.rshift(value, bits)
      out[#out + 1] = ALPHABET:sub(digit + 1, digit + 1)
      value = value - bit.lshift(digit, bits)
    end
  end
  return table.concat(out)
end

local function checksum(text)
  return base32(crypto.sha256("parley token " .. text)):sub(1, 6)
end

---@param kind string bot, plg, reg or adm
---@param id string|nil of a token that gets another secret; default: a new one
---@return string token
---@return string id
function M.generate(kind, id)
  assert(M.KINDS[kind], "unknown kind")
  id = id or base32(crypto.random(10))
  local body = ("prl_%s_%s_%s"):format(kind, id, base32(crypto.random(20)))
  return body .. checksum(body), id
end

---@param token string
---@return {kind: string, id: string}|nil parts nil when it cannot be a token of ours
function M.parse(token)
  if #token > 72 then return nil end
  local body, sum = token:sub(1, -7), token:sub(-6)
  local kind, id = body:match "^prl_(%l%l%l)_(%w+)_%w+$"
  if not kind or not M.KINDS[kind] or not crypto.equal(checksum(body), sum) then return nil end
  return { kind = kind, id = id }
end

return M
