-- A text that grows, with the entities of its parts: offsets and lengths in UTF-16 units.

local utf16 = require "parley.util.utf16"

local M = {}
M.__index = M

function M.new() return setmetatable({ parts = {}, at = 0, entities = {} }, M) end

---@param s string
function M:text(s)
  self.parts[#self.parts + 1] = s
  self.at = self.at + utf16.length(s)
end

---What `fill` writes is of this kind.
---@param kind string
---@param fill fun()
---@param more table|nil further fields
function M:entity(kind, fill, more)
  local from = self.at
  fill()
  self:mark(kind, from, self.at, more)
end

---@param from integer units
---@param to integer units; a part without any is no entity
function M:mark(kind, from, to, more)
  if to <= from then return end
  local e = { type = kind, offset = from, length = to - from }
  for key, value in pairs(more or {}) do e[key] = value end
  self.entities[#self.entities + 1] = e
end

---@return string
function M:result() return table.concat(self.parts) end

return M
