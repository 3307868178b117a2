-- UTF-8 is checked wherever text comes in; JSON strings are the way to the checker from Lua.
local json = require "host.json"
local sandbox = require "host.sandbox"

local char, byte = string.char, string.byte

local function is_valid(s) return json.decode('"' .. s .. '"') ~= nil end

-- RFC 3629 by arithmetic: one character that takes up all of s.
local function is_character(s)
  local first, n = byte(s, 1), #s
  local least = ({ 0, 0x80, 0x800, 0x10000 })[n]
  local head = ({ { 0, 0x7F }, { 0xC0, 0xDF }, { 0xE0, 0xEF }, { 0xF0, 0xF7 } })[n]
  if first < head[1] or first > head[2] then return false end
  local code = first - head[1]
  for i = 2, n do
    local c = byte(s, i)
    if c < 0x80 or c > 0xBF then return false end
    code = code * 64 + c - 0x80
  end
  return code >= least and code <= 0x10FFFF and not (code >= 0xD800 and code <= 0xDFFF)
end

describe("UTF-8", function()
  it("is accepted and refused by the definition, for all short sequences", function()
    local good = 0
    for a = 0x80, 0xFF do
      assert.is_false(is_valid(char(a)))
      for b = 0x80, 0xFF do
        local s = char(a, b)
        assert.equal(is_character(s), is_valid(s), ("%02x %02x"):format(a, b))
        if is_character(s) then good = good + 1 end
      end
    end
    assert.equal(0x800 - 0x80, good)
  end)

  it("is exact at every edge of the long sequences", function()
    local edges = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF }
    local good = 0
    for a = 0xE0, 0xFF do
      for _, b in ipairs(edges) do
        for _, c in ipairs(edges) do
          local s = char(a, b, c)
          -- Three bytes that are no character hold no valid split either: the first begins a longer one.
          if c ~= 0 and b ~= 0 then
            assert.equal(a < 0xF0 and is_character(s), is_valid(s), ("%02x %02x %02x"):format(a, b, c))
          end
          for _, d in ipairs(edges) do
            local t = s .. char(d)
            if a >= 0xF0 and is_character(t) then
              assert.is_true(is_valid(t))
              good = good + 1
            elseif a >= 0xF0 and not t:find("%z") then
              assert.is_false(is_valid(t), ("%02x %02x %02x %02x"):format(a, b, c, d))
            end
          end
        end
      end
    end
    assert.is_true(good > 100)
  end)

  it("is found broken at any distance from a word's edge", function()
    for pad = 0, 40 do
      for tail = 0, 20 do
        assert.is_false(is_valid(("a"):rep(pad) .. "\255" .. ("b"):rep(tail)))
        assert.is_true(is_valid(("a"):rep(pad) .. "€" .. ("b"):rep(tail)))
        assert.is_false(is_valid(("a"):rep(pad) .. "\226\130" .. ("b"):rep(tail)))
      end
    end
  end)

  it("is what an error message holds, whatever was raised", function()
    local sb = assert(sandbox.new { name = "t", memory = 2 ^ 22, prelude = require("parley.engine.prelude").text() })
    for name, source in pairs {
      raised = "error('a\\255b\\226\\130', 0)",
      cut = "error(('é'):rep(300), 0)",
      path = "return { [('é'):rep(40)] = function() end, ['\\255'] = print }",
    } do
      assert(sb:compile("main", source, "@main.lua"))
      local kind, err = sb:start("main", 50, 5)
      assert.equal("error", kind)
      assert(json.encode(err), name)
    end
  end)
end)
