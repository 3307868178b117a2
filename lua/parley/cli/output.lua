-- What a command answers, on stdout: a document for programs, or aligned text for people.

local json = require "host.json"

local M = {}

---@param value any
---@return integer exit code 0
function M.json(value)
  -- Names of files, and what is quoted of them, may be of any bytes.
  io.stdout:write(json.encode(value, { sorted = true, repair = true }), "\n")
  return 0
end

-- In characters: every byte that does not go on with one begins one.
local function width(text) return select(2, text:gsub("[^\128-\191]", "")) end

---Rows under a heading, each column as wide as its widest cell.
---@param heading string[]
---@param rows string[][] cells; the last column may be missing
function M.table(heading, rows)
  local widths, all = {}, { heading, unpack(rows) }
  for _, row in ipairs(all) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, width(cell)) end
  end
  for _, row in ipairs(all) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = cell .. (" "):rep(widths[i] - width(cell)) end
    io.stdout:write((table.concat(cells, "  "):gsub("%s+$", "")), "\n")
  end
end

return M
