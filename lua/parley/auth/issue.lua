-- Makes the texts of tokens and the rows that are kept of them.

local crypto = require "host.crypto"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

local M = {}

local COST = 10 -- of bcrypt: 50 ms

---@class parley.NewToken
---@field kind string
---@field scopes string[]
---@field label string|nil
---@field expires_at integer|nil

---A new token, not stored yet.
---@param t parley.NewToken
---@return {text: string, id: string, statement: table}|nil made
---@return table|nil err
function M.make(t)
  local text, id = token.generate(t.kind)
  local hash, err = crypto.bcrypt_hash(text, COST)
  if not hash then return nil, err end
  return {
    text = text, id = id, statement = tokens.insert {
      id = id, kind = t.kind, scopes = t.scopes, hash = hash, label = t.label,
      expires_at = t.expires_at,
    },
  }
end

---Another secret for a token that there is; the one before stays good for a while beside it.
---@param row table of tokens
---@param old_until integer milliseconds
---@return {text: string, id: string, statement: table}|nil made
---@return table|nil err
function M.renew(row, old_until)
  local text = token.generate(row.kind, row.id)
  local hash, err = crypto.bcrypt_hash(text, COST)
  if not hash then return nil, err end
  return { text = text, id = row.id, statement = tokens.renew(row, hash, old_until) }
end

---Makes a token and stores it.
---@param db table
---@param t parley.NewToken
---@return string|nil token
---@return string|table id, or what went wrong
function M.store(db, t)
  local made, err = M.make(t)
  if not made then return nil, err end
  local ok
  ok, err = db:commit { made.statement }
  if not ok then return nil, err end
  return made.text, made.id
end

return M
