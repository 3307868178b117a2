-- A file of locales/: texts by key, or a problem with its line.

local json = require "host.json"
local locales = require "parley.plugins.locales"

return function(bytes)
  local texts, message, line = locales.read(bytes)
  if not texts then
    assert(type(message) == "string" and message ~= "" and json.encode(message))
    local _, lines = bytes:gsub("\n", "")
    assert(line >= 1 and line <= lines + 1)
    return
  end
  locales.missing({ en = texts, ru = { hello = "x" } }, function(name, problem)
    assert((name == "en" or name == "ru") and type(problem) == "string")
  end)
end
