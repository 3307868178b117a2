-- Reads the text form of metrics that a host shows (parley.ops.exposition writes it).

local M = {}

-- What is escaped has no quote in it while labels are told apart.
local function labels_of(text)
  local out = {}
  text = text:gsub("\\(.)", function(c)
    return ("\\%03d"):format((c == "n" and "\n" or c):byte())
  end)
  for name, value in text:gmatch '([%a_][%w_]*)="([^"]*)"' do
    out[name] = value:gsub("\\(%d%d%d)", function(code) return string.char(tonumber(code)) end)
  end
  return out
end

---@param text string
---@return table<string, {labels: table<string, string>, value: number}[]> samples by name
function M.read(text)
  local out = {}
  for line in text:gmatch "[^\n]+" do
    local name, labels, value = line:match "^([%a_:][%w_:]*)(%b{}) (%S+)$"
    if not name then name, value = line:match "^([%a_:][%w_:]*) (%S+)$" end
    if name then
      out[name] = out[name] or {}
      table.insert(out[name], {
        labels = labels and labels_of(labels) or {}, value = tonumber(value) or 0,
      })
    end
  end
  return out
end

return M
