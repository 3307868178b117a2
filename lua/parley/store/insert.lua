-- Inserting many rows by one statement, which runs at any point of its transaction: nothing else in
-- there may depend on the rows.

local new_table = require "table.new"

-- The texts, by what they insert into and how many rows: there are a few, used again and again, and
-- the driver has them prepared.
local texts = {}

local function text_of(into, columns, rows)
  local known = texts[into] or {}
  texts[into] = known
  if not known[rows] then
    local out, n = {}, 0
    for i = 1, rows do
      local marks = {}
      for c = 1, columns do
        n = n + 1
        marks[c] = "$" .. n
      end
      out[i] = "(" .. table.concat(marks, ", ") .. ")"
    end
    known[rows] = into .. table.concat(out, ", ")
  end
  return known[rows]
end

---@param into string "INSERT INTO t (a, b) VALUES ", a constant of the program
---@param columns integer
---@param rows any[][] at least one; a value may be nil
---@return table statement for db:commit
return function(into, columns, rows)
  local values = columns * #rows
  local statement, n = new_table(values + 2, 2), 1
  statement[1], statement.n, statement.append = text_of(into, columns, #rows), values, true
  for _, row in ipairs(rows) do
    for c = 1, columns do statement[n + c] = row[c] end
    n = n + columns
  end
  return statement
end
