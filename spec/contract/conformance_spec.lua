-- parley conformance: what is good passes, and each check finds the fault that it is there for.

local conformance = require "parley.conformance"
local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local support = require "spec.support.host"
local webhook = require "parley.plugins.webhook"

local SECRET = webhook.new_secret()
local KEY = webhook.key(SECRET)

local function url_of(server, path) return ("http://127.0.0.1:%d%s"):format(server.port, path or "") end

-- The numbers of the checks that have this status.
local function numbers(report, status)
  local out = {}
  for _, c in ipairs(report.checks) do if c.status == status then out[#out + 1] = c.number end end
  return out
end

-- A fault (spec/support/broken_plugin.py) and the checks that fail by it; those that then say nothing, by
-- default the one of plugins that answer 202.
local FAULTS = {
  { "Plugin", {} }, { "Conflict", {} },
  { "ManifestInvalid", { 1 }, { 2, 3, 49 } }, { "ManifestLua", { 1 }, { 2, 3, 49 } }, { "ManifestMissing", { 1 }, { 2, 3, 49 } },
  { "ManifestType", { 2 } }, { "ManifestRestless", { 3 } },
  { "SignsBodyOnly", { 4, 5, 6 }, "the rest" }, { "Deaf", { 4, 5, 6, 36 }, "the rest" },
  { "NoJson", { 4, 5, 6 }, "the rest" }, { "IsList", { 4, 5, 6 }, "the rest" },
  { "OneSignature", { 5 } }, { "CaseSensitive", { 6 } }, { "ComparesEnd", { 7 } }, { "ComparesStart", { 8 } },
  { "TripsOnSignature", { 9 } }, { "ComparesShape", { 7, 10, 11, 12, 13, 22 } }, { "TrimsBody", { 11 } },
  { "AcceptsOld", { 14 } }, { "AcceptsNew", { 15 } },
  { "SkipsWhenMissing", { 16, 17, 18 } }, { "TripsWhenMissing", { 16, 17, 18 } }, { "ReadsNumberLoosely", { 19 } },
  { "Forgets", { 20, 21 } }, { "RemembersLate", { 21 } }, { "RefusesAll", { 21 } }, { "RemembersRefusals", { 22 } },
  { "TripsOnCommand", { 23 } }, { "TripsOnCallback", { 24 } }, { "TripsOnJob", { 25 } }, { "TripsOnEvent", { 26 } },
  { "TripsOnPhoto", { 27 } }, { "TripsOnUnknown", { 28 } }, { "TripsOnNameless", { 29 } },
  { "TripsOnUkrainian", { 30 } }, { "TripsOnLong", { 31 } }, { "SmallBody", { 32 } }, { "TripsOnIntent", { 33 } },
  { "InvokesByGet", { 34 } }, { "InvokesByHead", { 35 } }, { "InvokesAnywhere", { 36 } }, { "TripsOnJson", { 37 } },
  { "Greedy", { 38 } }, { "Narrow", { 39 } }, { "Closes", { 40 } }, { "Dawdles", { 41 } }, { "Breaks", { 42 } },
  { "AnswerType", { 43 } }, { "SaysNothing", { 44 } }, { "SaysState", { 44 } }, { "SaysMany", { 44 } },
  { "ReportsError", { 45 } }, { "SaysMuch", { 46 } }, { "KeepsMuch", { 46 } }, { "Schedules", { 47 } },
  { "Slips", { 48 } }, { "Later", {}, {} }, { "LaterSame", { 49 }, {} }, { "LaterShort", { 44 } },
}

describe("parley conformance", function()
  local server
  setup(function() server = python.start("spec/support/broken_plugin.py", { PARLEY_SIGNING_SECRET = SECRET }) end)
  teardown(function() server:stop() end)

  for _, case in ipairs(FAULTS) do
    local fault, failing, skipped = unpack(case)
    it(("finds in %s: %s"):format(fault, #failing > 0 and table.concat(failing, ", ") or "nothing"), function()
      local report = conformance.run { url = url_of(server, "/" .. fault), key = KEY }
      local musts = 0
      for _, number in ipairs(failing) do
        if report.checks[number].level == "must" then musts = musts + 1 end
      end
      assert.equal(musts == 0, report.conformant)
      assert.same(failing, numbers(report, "fail"))
      if skipped ~= "the rest" then assert.same(skipped or { 49 }, numbers(report, "skip")) end
      for _, number in ipairs(failing) do
        local c = report.checks[number]
        assert(#c.found > 0 and #c.fix > 0)
      end
    end)
  end

  it("has seen every check fail", function()
    local seen = {}
    for _, case in ipairs(FAULTS) do for _, number in ipairs(case[2]) do seen[number] = true end end
    for number, check in ipairs(conformance.checks) do assert(seen[number], check.name) end
  end)

  local function run(arguments, secret)
    return programs.parley({ "conformance", unpack(arguments) }, { env = { PARLEY_SIGNING_SECRET = secret or false } })
  end

  it("says what is wrong and what to do, and exits with 1", function()
    local r = run({ url_of(server, "/AcceptsOld/") }, SECRET)
    assert.equal(1, r.code)
    assert.equal("", r.err)
    assert.matches("\n  4  pass  must    a signed call is answered", r.out)
    assert.matches("\n 14  fail  must    a call that is ten minutes too old is refused\n"
      .. " +found: 400 or 401 was expected, got status 200: '[^\n]+'\n"
      .. " +to do: refuse a webhook%-timestamp that is more than five minutes off", r.out)
    assert.matches("\nbroken 1%.0%.0: not conformant: 47 passed, 1 failed, 1 skipped\n$", r.out)
  end)

  it("passes a plugin of which only what should be is wrong", function()
    local r = run({ url_of(server, "/Closes"), "--secret", SECRET })
    assert.equal(0, r.code)
    assert.matches("\n 40  fail  should  ", r.out)
    assert.matches("\nbroken 1%.0%.0: conformant: 47 passed, 1 failed, 1 skipped\n$", r.out)
  end)

  it("says what it was told to, under the settings that it was given", function()
    local file = support.temp_dir() .. "/settings.json"
    assert(fs.write(file, '{"city": "Kyiv"}'))
    local arguments = { url_of(server, "/TripsUnlessAsked"), "--settings", file, "--text", "weather in Kyiv" }
    local r = run(arguments, SECRET)
    assert(r.code == 0, r.out)
    arguments[5] = "weather in Lviv"
    assert.equal(1, run(arguments, SECRET).code)
  end)

  it("writes one document for programs", function()
    local url = url_of(server, "/Schedules")
    local r = run({ url, "--json" }, SECRET)
    assert.equal(1, r.code)
    assert.matches("^[^\n]+\n$", r.out)
    local report = json.decode(r.out)
    assert.same({ name = "broken", version = "1.0.0" }, report.plugin)
    assert.same({ url, false, 47, 1, 1, 49 },
      { report.url, report.conformant, report.passed, report.failed, report.skipped, #report.checks })
    local c = report.checks[47]
    assert.same({ 47, "fail", "must" }, { c.number, c.status, c.level })
    assert.matches('^to text: \'schedule\' needs the permission \'jobs\'', c.found)
    assert.matches('"jobs" for schedule', c.fix)
    assert.equal(0, run({ url_of(server, "/Plugin"), "-o", "json" }, SECRET).code)
  end)

  it("takes no plugin for good whose calls it cannot sign, or that is not there", function()
    local r = run { url_of(server, "/Plugin") }
    assert.equal(1, r.code)
    assert.matches("\n  4  skip  must    [^\n]+\n +why: nothing can be signed without %-%-secret", r.out)
    r = run({ "http://127.0.0.1:1" }, SECRET)
    assert.equal(1, r.code)
    assert.matches("found: no answer: [^\n]+connect", r.out)
    assert.matches("http://127.0.0.1:1: not conformant: 0 passed", r.out)
  end)

  it("says what to do instead when it is called wrongly", function()
    for message, arguments in pairs {
      ["URL: a URL like https://plugin.example.org/parley expected, got 'localhost:9000'"] = { "localhost:9000" },
      ["URL: without /invoke: the checks add it"] = { "http://localhost:9000/invoke" },
      ["--settings: /nowhere: No such file or directory"] = { "http://localhost", "--settings", "/nowhere" },
      ["--settings: /proc/self/oom_score: an object expected"] = { "http://localhost", "--settings", "/proc/self/oom_score" },
      ["the secret: expected 'whsec_' and the base64 of 24 to 64 random bytes"] = { "http://localhost", "--secret", "x" },
    } do
      local r = run(arguments)
      assert.equal(64, r.code)
      assert.equal("parley: conformance: " .. message .. "\n", r.err)
    end
  end)
end)

describe("the example plugins", function()
  for _, script in ipairs { "examples/rest-python/plugin.py", "examples/rest-node/plugin.mjs" } do
    it(script .. " passes every check", function()
      local server = python.start(script .. " 0", { PARLEY_SIGNING_SECRET = SECRET })
      local r = programs.parley({ "conformance", url_of(server) }, { env = { PARLEY_SIGNING_SECRET = SECRET } })
      server:stop()
      assert(r.code == 0, r.out)
      assert(r.out:find(("%d passed, 0 failed, 1 skipped\n"):format(#conformance.checks - 1), 1, true), r.out)
    end)
  end
end)
