-- A short name for a value: two that are not the same hardly ever share it.

local crypto = require "host.crypto"
local json = require "host.json"

local M = {}

---@param value any JSON
---@return string digest 12 characters
function M.short(value)
  return crypto.hex(crypto.sha256(json.encode(value, { sorted = true }))):sub(1, 12)
end

return M
