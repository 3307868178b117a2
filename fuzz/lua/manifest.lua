-- manifest.json of whoever registers: taken whole, or refused with problems that people can read.

local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local nlu = require "parley.nlu.mock"
local pattern = require "parley.util.pattern"

local function lines_of(text)
  local _, n = text:gsub("\n", "")
  return n + 1
end

local function check_problems(problems, text)
  assert(type(problems) == "table" and #problems > 0, "refused without a problem")
  local lines = lines_of(text)
  for _, p in ipairs(problems) do
    assert(type(p.code) == "string" and p.code ~= "", "a problem without a code")
    assert(type(p.message) == "string" and p.message ~= "", "a problem without a message")
    assert(p.line >= 1 and p.line <= lines and p.line % 1 == 0, "a line that is not there")
    assert(json.encode { p.path, p.message }, "a problem that cannot be sent")
  end
  assert(#manifest.describe(problems) < 100 * (#text + 1000), "too much is said of it")
end

-- What is taken works everywhere that manifests are used.
local function check_taken(m, hash)
  assert(type(hash) == "string" and #hash == 64)
  assert(m.name:find "^[%w_-]+$" and (m.transport == "lua" or m.transport == "rest"))
  for _, limit in pairs(m.limits) do assert(type(limit) == "number" and limit == limit) end
  for _, text in ipairs(m.patterns or {}) do assert(pattern.compile(text)) end
  assert(type(manifest.check_together { { name = m.name, manifest = m } }) == "table")
  nlu.classify(nlu.build(m.intents or {}), "hello there")
  assert(json.encode(m), "a manifest that cannot be stored")
end

return function(bytes)
  local m, result = manifest.check(bytes, { locales = { en = true } })
  if m then check_taken(m, result) else check_problems(result, bytes) end
end
