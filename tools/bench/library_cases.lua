-- What plugins do with strings and tables. Called with (name, n) it runs a case n times; without, it
-- returns the names. The same source runs in a sandboxed state and in the core.

local name, n = ...

local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local sort, insert, concat, format = table.sort, table.insert, table.concat, string.format

local TEXT = "The quick brown fox jumps over the lazy dog, order 12345 of tea; price = 17.50 EUR. " ..
  "Call +380 44 123-45-67!"
local LONG = TEXT:rep(20)
local HTML = "<b>Tom & Jerry</b> say \"hello\" & 'bye' <br>"
local ENTITIES = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ['"'] = "&quot;" }
local CHARACTER = "[%z\1-\127\194-\244][\128-\191]*"

local numbers, words = {}, {}
for i = 1, 200 do numbers[i] = (i * 7919) % 1009 end
for w in gmatch(LONG, "%a+") do words[#words + 1] = w end

local function copy(t)
  local out = {}
  for i = 1, #t do out[i] = t[i] end
  return out
end

local function count(s, pattern)
  local k = 0
  for w in gmatch(s, pattern) do k = k + #w end
  return k
end

local function same(s) return s end

local CASES = {
  ["find a word"] = function() return find(TEXT, "price") end,
  ["find a command"] = function() return find("/order tea", "^/(%w+)%s*(.*)$") end,
  ["find digits"] = function() return find(TEXT, "%d+") end,
  ["find nothing"] = function() return find(TEXT, "order (%d+) of coffee") end,
  ["match an order"] = function() return match("order 12", "^order (%d+)$") end,
  ["match a price"] = function() return match(TEXT, "(%d+)%.(%d+) EUR") end,
  ["match to trim"] = function() return match("   some text to trim   ", "^%s*(.-)%s*$") end,
  ["match an address"] = function()
    return match("write to alice@example.com now", "([%w%.%-_]+)@([%w%.%-]+%.%a+)")
  end,
  ["gmatch words"] = function() return count(TEXT, "%a+") end,
  ["gmatch words of 2 KB"] = function() return count(LONG, "%S+") end,
  ["gmatch to split"] = function() return count("a,b,cc,dd,,e", "([^,]*),?") end,
  ["gsub finds nothing"] = function() return gsub(TEXT, "&", "&amp;") end,
  ["gsub spaces"] = function() return gsub(TEXT, "%s+", " ") end,
  ["gsub captures"] = function() return gsub(TEXT, "(%w+) (%w+)", "%2 %1") end,
  ["gsub characters"] = function() return gsub("Привет, мир", CHARACTER, "%0-") end,
  ["gsub by a table"] = function() return gsub(HTML, "[<>&\"]", ENTITIES) end,
  ["gsub by a function"] = function() return gsub(TEXT, "%d", same) end,
  ["gsub by a function, 2 KB"] = function() return gsub(LONG, "%w+", same) end,
  ["gsub of a template"] = function()
    return gsub("Dear {name}, your order {id} is {state}.", "{(%w+)}", same)
  end,
  ["format"] = function() return format("%s has %d items at %.2f", "Alice", 3, 4.5) end,
  ["sort 200 numbers"] = function() sort(copy(numbers)) end,
  ["sort 340 words"] = function() sort(copy(words)) end,
  ["sort 200 by a function"] = function() sort(copy(numbers), function(a, b) return a > b end) end,
  ["insert 100 at the end"] = function()
    local t = {}
    for i = 1, 100 do insert(t, i) end
  end,
  ["insert 100 at the front"] = function()
    local t = {}
    for i = 1, 100 do insert(t, 1, i) end
  end,
  ["concat 340 words"] = function() return concat(words, " ") end,
}

if not name then
  local names = {}
  for key in pairs(CASES) do names[#names + 1] = key end
  sort(names)
  return names
end
local f = CASES[name]
for _ = 1, n do f() end
