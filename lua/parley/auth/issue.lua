-- Makes a token and stores what is kept of it.

local crypto = require "host.crypto"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

local COST = 10 -- of bcrypt: 50 ms

---@param db table
---@param t {kind: string, scopes: string[], label: string|nil, expires_at: integer|nil}
---@return string|nil token
---@return string|table id, or what went wrong
return function(db, t)
  local text, id = token.generate(t.kind)
  local hash, err = crypto.bcrypt_hash(text, COST)
  if not hash then return nil, err end
  local ok
  ok, err = db:commit {
    tokens.insert {
      id = id, kind = t.kind, scopes = t.scopes, hash = hash, label = t.label,
      expires_at = t.expires_at,
    },
  }
  if not ok then return nil, err end
  return text, id
end
