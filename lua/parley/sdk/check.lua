-- What an author gets wrong, said at their line: what was expected, what came, what they may have
-- meant.
--
-- The line is found by the name of the chunk, not by counting frames: helpers may call helpers.
-- Where the author's frame is gone (`return c:reply(nil)` is a tail call) the dispatch says which
-- handler it was.

local plugin = ...
local torn = torn

local M = {}

local DEPTH = 40 -- frames: deeper than any way from an author's line to its check

---The author's line that is at work, like "shop/main.lua:3: ".
---@return string "" when no frame of theirs is there any more
function M.position()
  for level = 3, DEPTH do
    local _, where = pcall(error, "", level)
    if where:find("^" .. plugin .. "/[^:]+:%d+: $") then return where end
  end
  return ""
end

---Where the coroutine was resumed that an error has come out of.
---@param err string
---@return string like " (in a coroutine, resumed at shop/main.lua:9)"; "" when it came out of none
function M.resumed(err)
  if torn.err ~= err or not torn.at then return "" end
  return (" (in a coroutine, resumed at %s)"):format(torn.at)
end

---Whether a text says already where it is from.
---@return boolean
function M.is_placed(text) return text:find("^" .. plugin .. "/[^:]+:%d+: ") ~= nil end

---What an author has given, as text: a __tostring of theirs may fail, or give none.
---@param v any
---@return string
function M.show(v)
  local good, text = pcall(tostring, v)
  return good and text or type(v)
end

---Raises at the author's line.
function M.misuse(fmt, ...) error(M.position() .. fmt:format(...), 0) end

-- How many single mistakes lie between two words: a letter more, less or other, or two swapped.
local function distance(a, b)
  local before, last
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, last, row = last, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j - 1] + (same and 0 or 1), last[j] + 1, row[j - 1] + 1)
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

---". Did you mean 'x'?", or "".
---@param word any
---@param known table<string, any> by name
---@return string
function M.hint(word, known)
  if type(word) ~= "string" or #word > 32 then return "" end
  local best, least = nil, #word <= 4 and 1 or 2
  for name in pairs(known) do
    local n = type(name) == "string" and distance(word:lower(), name:lower()) or 9
    if n < least or n == least and (not best or name < best) then best, least = name, n end
  end
  return best and (". Did you mean '%s'?"):format(best) or ""
end

---"a, b, c" in an order that is always the same.
---@param known table<string, any>
---@return string
function M.list(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ", ")
end

---The fields of a table of the author's, each of the kind that it must have.
---@param what string what the table is, like "schedule"
---@param given table
---@param known table<string, string> type by name; "any": whatever it is
function M.fields(what, given, known)
  for key, value in pairs(given) do
    local kind = known[key]
    if not kind then
      -- Of several the same one each time.
      for other in pairs(given) do
        if not known[other] and M.show(other) < M.show(key) then key = other end
      end
      local hint = M.hint(key, known)
      M.misuse("%s: there is no field '%s'%s", what, M.show(key),
        hint ~= "" and hint or "; there are: " .. M.list(known))
    elseif kind ~= "any" and type(value) ~= kind then
      M.misuse("%s: %s: a %s expected, got a %s", what, key, kind, type(value))
    end
  end
end

---A method that was called with a dot has lost its first argument.
---@param self any
---@param name string of the method, like "reply"
function M.context(self, name)
  if type(self) == "table" and rawget(self, "_actions") then return end
  M.misuse("%s: a colon is missing: c:%s(...), not c.%s(...)", name, name, name)
end

---The same for the libraries of a context.
---@param self any
---@param library table
---@param name string like "kv:get"
function M.library(self, library, name)
  if self == library then return end
  M.misuse("%s: a colon is missing: c.%s(...)", name, name)
end

---@type table<string, table> what the plugin has registered, by kind: filled by sdk/init
M.registered = {}

parley = { check = M, methods = {}, name = plugin } -- methods: those of a context
