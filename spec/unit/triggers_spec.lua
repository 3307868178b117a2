-- Triggers: what conf/triggers.lua may say, and which events set one off.

local config = require "parley.config"
local file = require "parley.triggers.file"
local fs = require "host.fs"
local temporary = require "parley.util.temporary"
local triggers = require "parley.triggers"

local function event(more)
  local e = {
    id = tostring({}), source = "shop", action = "plugin_failed", severity = "error", trace_id = ("a"):rep(32),
    details = { code = "timeout", message = "too slow" }, at = 1000000,
  }
  for k, v in pairs(more or {}) do e[k] = v end
  return e
end

-- A trigger as a file has it.
local function parsed(text)
  local source = "return {\n" .. text .. "\n}"
  return file.parse(assert(loadstring(source))(), source, "conf/triggers.lua")
end

local function one(text) return assert(parsed("{ id = 'T-1', act = { { notify = 'admins' } }, " .. text .. " }")) end

-- The counts with which it is set off by events, one after another; false: not.
local function counts(t, events)
  local memory, out = {}, {}
  for i, e in ipairs(events) do
    local fired = t:match(e, memory)[1]
    out[i] = fired and fired.count or false
    if fired then fired.done() end
  end
  return out
end

describe("a trigger", function()
  it("listens to names, patterns and lists, of a severity", function()
    for text, want in pairs {
      ["event = 'plugin_failed'"] = { true, false, true }, ["event = 'plugin_*'"] = { true, true, true },
      ["event = '*'"] = { true, true, true }, ["event = { 'x', 'plugin_timeout' }"] = { false, true, false },
      ["event = '*', severity = 'critical'"] = { false, false, true },
      ["event = 'plugin'"] = { false, false, false }, ["event = '*', severity = 'warning'"] = { true, true, true },
    } do
      local t = one(text)
      assert.same(want, {
        t:wants("plugin_failed", "error"), t:wants("plugin_timeout", "warning"), t:wants("plugin_failed", "critical"),
      }, text)
    end
  end)

  it("is off when it is not enabled", function()
    assert.is_false(one("event = '*', enabled = false"):wants("x", "critical"))
  end)

  it("holds its conditions", function()
    local t = one "event = '*', when = { source = { 'shop', 'desk' }, details = { code = 'timeout', final = true } }"
    local details = { code = "timeout", final = true }
    assert.same({ 1, 1, false, false, false, false }, counts(t, {
      event { details = details }, event { details = details, source = "desk" },
      event { details = details, source = "other" }, event { details = { code = "timeout" } },
      event { details = { code = "timeout", final = "true" } }, event { details = { code = "x", final = true } },
    }))
  end)

  it("counts within a window, of each source", function()
    local t = one "event = '*', window = { count = 3, seconds = 10 }"
    local function at(s, source) return event { at = s * 1000, source = source } end
    assert.same({ false, false, 3, false, false, false, 3 }, counts(t, {
      at(0), at(1), at(9), at(9), at(9, "other"), at(10), at(18.5),
    }))
    assert.same({ false, false, false, 3 }, counts(t, { at(0), at(5), at(11), at(14) }))
    t = one "event = '*', window = { count = 2, seconds = 10, by = 'all' }"
    assert.same({ false, 2 }, counts(t, { at(0, "a"), at(1, "b") }))
  end)

  it("counts an event once, until it is done", function()
    local t, memory, e = one "event = '*', window = { count = 2 }", {}, event()
    assert.same({}, t:match(e, memory))
    assert.same({}, t:match(e, memory))
    local second = event()
    assert.equal(2, t:match(second, memory)[1].count)
    assert.equal(2, t:match(second, memory)[1].count)
  end)

  it("is quiet for its pause", function()
    local t = one "event = '*', pause_seconds = 60"
    assert.same({ 1, false, 1 }, counts(t, { event(), event { at = 1059999 }, event { at = 1060000 } }))
  end)

  it("is not set off by what it has caused", function()
    local t = one "event = '*'"
    assert.same({ false, 1 }, counts(t, {
      event { details = { triggers = { "T-0", "T-1" } } }, event { details = { triggers = { "T-0" } } },
    }))
  end)

  it("remembers a bounded number of sources", function()
    local t, memory = one "event = '*', window = { count = 2 }", {}
    for i = 1, 5000 do t:match(event { source = "s" .. i }, memory) end
    local n = 0
    for _ in pairs(memory["T-1"].by) do n = n + 1 end
    assert.is_true(n <= 1001)
  end)

  it("fills in its text, in the nearest language", function()
    local texts = { en = "{source}: {event} {message} {code} {nothing} {trace_id}", uk = "укр {source}" }
    assert.equal("shop: plugin_failed too slow timeout - " .. ("a"):rep(32), triggers.text(texts, "de", event()))
    assert.equal("укр shop", triggers.text(texts, "uk-UA", event()))
    assert.equal("only", triggers.text({ ru = "only" }, nil, event()))
  end)
end)

describe("conf/triggers.lua", function()
  local function problem(text)
    local t, err = parsed(text)
    assert.is_nil(t)
    assert.equal("triggers", err.code)
    return err.message
  end

  for text, want in pairs {
    ["5"] = "conf/triggers.lua:1: trigger number 1: : a table expected, got 5",
    ["{ act = {} }"] = "conf/triggers.lua:1: trigger number 1: id: a name like TR-100 expected, got nil",
    ["{\nid = 'A',\nevent = 'x',\nact = {} }"] = "conf/triggers.lua:5: trigger 'A': act: a list of actions expected",
    ["{\nid = 'A',\nevnt = 'x' }"] = "conf/triggers.lua:4: trigger 'A': evnt: unknown key. Did you mean 'event'?",
    ["{ id = 'A', act = { { notify = 'admins' } } }"] = "trigger 'A': event: is missing",
    ["{ id = 'A', event = 'a b' }"] = "event: the name of an event, like plugin_failed or plugin_*, expected, got 'a b'",
    ["{ id = 'A', event = 'x', severity = 'errr' }"] = "severity: one of debug, info, warning, error, critical expected, "
      .. "got 'errr'. Did you mean 'error'?",
    ["{ id = 'A', event = 'x', window = { count = 0 } }"] = "window.count: a number from 1 to 10000 expected, got 0",
    ["{ id = 'A', event = 'x', window = { count = 1.5 } }"] = "window.count: a whole number expected",
    ["{ id = 'A', event = 'x', window = { minutes = 1 } }"] = "window.minutes: unknown key.",
    ["{ id = 'A', event = 'x', window = { by = 'user' } }"] = "window.by: one of source, all expected, got 'user'",
    ["{ id = 'A', event = 'x', window = 5 }"] = "window: a table expected, got 5",
    ["{ id = 'A', event = 'x', pause_seconds = -1 }"] = "pause_seconds: a number from 0 to 86400 expected, got -1",
    ["{ id = 'A', event = 'x', enabled = 1 }"] = "enabled: true or false expected, got 1",
    ["{ id = 'A', event = 'x', when = { plugin = 'a' } }"] = "when.plugin: unknown key.",
    ["{ id = 'A', event = 'x', when = { details = 1 } }"] = "when.details: a table expected, got 1",
    ["{ id = 'A', event = 'x', when = { source = { {} } } }"] = "when.source: a value or a list of values expected",
    ["{ id = 'A', event = 'x', text = {} }"] = "text: a text, or one by locale, expected",
    ["{ id = 'A', event = 'x', text = { UK = 'x' } }"] = "text: a locale like 'uk' expected, got 'UK'",
    ["{ id = 'A', event = 'x', act = { { notfy = 'admins' } } }"] = "act[1]: there is no action 'notfy'. Did you mean 'notify'?",
    ["{ id = 'A', event = 'x', act = { 'notify' } }"] = "act[1]: a table like { notify = \"admins\" } expected, got 'notify'",
    ["{ id = 'A', event = 'x', act = { {} } }"] = "act[1]: an action is missing",
    ["{ id = 'A', event = 'x', act = { { notify = 'all' } } }"] = "act[1].notify: \"admins\" expected, got 'all'",
    ["{ id = 'A', event = 'x', act = { { notify = 'admins', disable = 'x' } } }"] = "act[1]: one action expected, got ",
    ["{ id = 'A', event = 'x', act = { { disable = 'X' } } }"] = "act[1].disable: \"source\", or the name of a plugin",
    ["{ id = 'A', event = 'x', act = { { mode = 'slow' } } }"] = "act[1].mode: \"normal\" or \"degraded\" expected, got 'slow'",
    ["{ id = 'A', event = 'x', act = { { emit = 'A b' } } }"] = "act[1].emit: the name of an event",
    ["{ id = 'A', event = 'x', act = { { emit = 'ab', severity = 'x' } } }"] = "act[1].emit.severity: no severity is called 'x'",
    ["{ id = 'A', event = 'x', act = { { webhook = 'ftp://x' } } }"] = "act[1].webhook: a URL like https://",
    ["{ id = 'A', event = 'x', act = { { webhook = 'http://x', secret = 'x' } } }"] = "act[1].webhook.secret: expected 'whsec_'",
    ["{ id = 'A', event = 'x', act = { { emit = 'ab', secret = 'x' } } }"] = "act[1]: there is no action 'secret'",
    ["{ id = 'A', event = 'x', act = { { emit = 'ab' } } },\n{ id = 'A', event = 'x', act = { { emit = 'ab' } } }"] =
      "trigger 'A': id: it stands twice",
    ["a = 1"] = "conf/triggers.lua:1: a list of triggers expected, got the key 'a'",
  } do
    it("is refused with: " .. want, function()
      local message = problem(text)
      assert(message:find(want, 1, true), message)
    end)
  end

  local function home(text)
    local dir = assert(temporary.folder())
    assert(fs.mkdir(dir .. "/conf"))
    if text then assert(fs.write(dir .. "/conf/triggers.lua", text)) end
    return assert(config.load(dir, { getenv = function(name) return name == "HOOK" and "https://a.example/x" or nil end }))
  end

  it("may call env and secret, and nothing else", function()
    local t = assert(file.load(home "return { { id = 'A', event = 'x', act = { { webhook = env('HOOK') } } } }"))
    assert.equal("https://a.example/x", t.list[1].act[1].url)
    local none, err = file.load(home "return { { id = os.time() } }")
    assert.is_nil(none)
    assert.matches("conf/triggers.lua:1: attempt to index global 'os'", err.message)
  end)

  it("is the one that ships when a home has none", function()
    local t = assert(file.load(home()))
    local ids = {}
    for i, trigger in ipairs(t.list) do ids[i] = trigger.id end
    assert.same({ "TR-004", "TR-008", "TR-009" }, ids)
    for _, trigger in ipairs(t.list) do
      for locale in pairs(trigger.text or {}) do assert.is_true(locale == "en" or trigger.text.en ~= nil) end
    end
  end)
end)
