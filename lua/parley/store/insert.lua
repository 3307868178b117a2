-- Inserting many rows by one statement, which runs at any point of its transaction: nothing else in
-- there may depend on the rows.

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
---@param rows any[][] at least one; a value may be nil; they are kept until the commit
---@return table statement for db:commit
return function(into, columns, rows)
  return { text_of(into, columns, #rows), rows = rows, columns = columns, append = true }
end
