-- Cases for the door: a good call whose arguments were changed, one call on each line.
--
-- A case of the kind "gate" is a list of calls that reach the gate as an invocation's do, with all
-- that can cross; one of the kind "sdk" is a function that runs inside the plugin.

local chance = require "fuzz.lib.chance"
local values = require "fuzz.door.values"

local M = {}

local function text_of(s)
  return "\"" .. s:gsub("[%c\"\\\127-\255]", function(c) return ("\\%03d"):format(c:byte()) end) .. "\""
end

-- Keys in order: the same number gives the same case.
local function keys_of(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local function pair(key, text)
  return ("[%s] = %s"):format(type(key) == "string" and text_of(key) or tostring(key), text)
end

local G = {}
G.__index = G

---Anything at all.
function G:anything()
  if self.hostile and self.random:one_in(3) then return self.random:one_of(values.hostile) end
  return self.random:one_of(values.plain)
end

-- A value as Lua text, some of its parts changed.
function G:write(value)
  if self.random:one_in(self.rarely) then return self:anything() end
  if type(value) == "string" then return text_of(value) end
  if type(value) ~= "table" then return tostring(value) end
  local out = {}
  for _, key in ipairs(keys_of(value)) do
    if not self.random:one_in(self.rarely) then
      if self.random:one_in(self.rarely) then key = self.random:one_of(values.fields) end
      out[#out + 1] = pair(key, self:write(value[key]))
    end
  end
  if self.random:one_in(self.rarely) then
    out[#out + 1] = pair(self.random:one_of(values.fields), self:anything())
  end
  return ("{ %s }"):format(table.concat(out, ", "))
end

function G:arguments(samples)
  local sample, out = self.random:one_of(samples), {}
  for i = 1, #sample do out[i] = self:write(sample[i]) end
  if self.random:one_in(10) then out[#out] = nil end
  while self.random:one_in(8) and #out < 20 do out[#out + 1] = self:anything() end
  return out
end

local function gate_case(g)
  local lines = { "return {" }
  for _ = 1, g.random:int(1, 8) do
    local name = g.random:one_of(values.service_names)
    local arguments = g:arguments(values.services[name])
    if g.random:one_in(40) then name = g.random:one_of { "x", "", "kv.", "__index", "\255" } end
    for i, text in ipairs(arguments) do arguments[i] = pair(i, text) end
    lines[#lines + 1] = ("  { %s, n = %d, a = { %s } },"):format(text_of(name), #arguments,
      table.concat(arguments, ", "))
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

local function sdk_case(g)
  g.hostile = true
  local lines = { "return function(c, check, v)" }
  for _ = 1, g.random:int(1, 6) do
    local call = g.random:one_of(values.sdk)
    lines[#lines + 1] = ("  check(%s, function() return %s(%s) end)"):format(text_of(call[1]), call[1],
      table.concat(g:arguments(call[2]), ", "))
  end
  lines[#lines + 1] = "end"
  return table.concat(lines, "\n") .. "\n"
end

---@param seed integer
---@param number integer
---@return string source
function M.case(seed, number)
  local g = setmetatable({ random = chance.new(seed, number) }, G)
  g.rarely = g.random:one_of { 3, 6, 12, 30 }
  return g.random:one_in(2) and gate_case(g) or sdk_case(g)
end

return M
