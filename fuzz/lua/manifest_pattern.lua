-- Patterns of manifests, which are matched without going back: they answer as the library does.

local pattern = require "parley.util.pattern"

-- The library goes back: what would take it long is not compared.
local LOOPS, TEXT = 4, 48

return function(bytes)
  local source, text = bytes:match "^([^\n]*)\n(.*)$"
  source, text = source or bytes, (text or ""):sub(1, TEXT)
  local matches, problem = pattern.compile(source)
  if not matches then
    assert(type(problem) == "string" and problem ~= "")
    return
  end
  local found = matches(text)
  assert(type(found) == "boolean")
  local _, loops = source:gsub("[*+?-]", "")
  if loops > LOOPS then return end
  local good, at = pcall(string.find, text, source)
  assert(good, "taken, and no pattern: " .. tostring(at))
  assert(found == (at ~= nil), ("%q in %q"):format(source, text))
end
