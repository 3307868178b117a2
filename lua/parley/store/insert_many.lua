-- Inserting any number of rows: as many to a statement as its parameters allow.

local insert = require "parley.store.insert"

local PARAMETERS = 255 -- of a statement, as both drivers have it

---@param into string as parley.store.insert
---@param columns integer
---@param rows any[][]
---@param out table[] gets the statements
return function(into, columns, rows, out)
  local most = math.floor(PARAMETERS / columns)
  for from = 1, #rows, most do
    out[#out + 1] =
      insert(into, columns, { unpack(rows, from, math.min(from + most - 1, #rows)) })
  end
end
