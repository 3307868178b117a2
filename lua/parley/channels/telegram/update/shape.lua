-- Reading what came from outside: each of these gives a value of the form that is asked for, within
-- its limit, or nil. Nothing that Telegram sends can be of another form; a forged or broken update
-- can, and must cost nothing but itself.

local utf8 = require "parley.util.utf8"

local M = {}

local EXACT = 2 ^ 53 -- numbers above it are not what was sent

---@return integer|nil
function M.integer(v)
  if type(v) ~= "number" or v % 1 ~= 0 or v > EXACT or v < -EXACT then return nil end
  return v
end

---@return number|nil finite
function M.number(v)
  if type(v) ~= "number" or v ~= v or v >= math.huge or v <= -math.huge then return nil end
  return v
end

---@param max integer bytes; what is longer is cut
---@return string|nil not empty
function M.text(v, max)
  if type(v) ~= "string" or v == "" then return nil end
  return utf8.clip(v, max)
end

---An identifier: one that is cut is another one.
---@param max integer bytes
---@return string|nil not empty
function M.id(v, max)
  if type(v) ~= "string" or v == "" or #v > max then return nil end
  return v
end

---@return table|nil object or list
function M.object(v) return type(v) == "table" and v or nil end

---@return true|nil
function M.flag(v) return v == true or nil end

---The table in which there is something, else nil.
---@param t table
---@return table|nil
function M.some(t) return next(t) ~= nil and t or nil end

return M
