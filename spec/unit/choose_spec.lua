local choose = require "parley.plugins.choose"
local order = require "parley.plugins.order"

local function plugin(name, manifest, state)
  return { name = name, manifest = manifest or {}, state = state or "active" }
end

local function names(list)
  local out = {}
  for i, p in ipairs(list) do out[i] = p.name end
  return table.concat(out, " ")
end

local function chosen(plugins, input)
  local trace = {}
  local list = assert(choose.compile(plugins)):choose(input, trace)
  return names(list), trace
end

describe("the order of plugins", function()
  local function sorted(...) return names(assert(order.sort { ... })) end

  it("is by priority, then by name", function()
    assert.equal("c a b", sorted(plugin("b"), plugin("a"), plugin("c", { priority = 200 })))
  end)

  it("keeps before and after above priority", function()
    assert.equal("a b c", sorted(plugin("c", { priority = 900, after = { "b" } }), plugin("b", { after = { "a" } }), plugin "a"))
    assert.equal("low high", sorted(plugin("high", { priority = 900 }), plugin("low", { priority = 1, before = { "high" } })))
  end)

  it("takes names that no plugin has as no condition", function()
    assert.equal("a", sorted(plugin("a", { after = { "ghost" }, before = { "ghost" } })))
  end)

  it("names a cycle", function()
    local none, cycle = order.sort {
      plugin("a", { after = { "c" } }), plugin("b", { after = { "a" } }), plugin("c", { after = { "b" } }), plugin "d",
    }
    assert.is_nil(none)
    assert.same({ "a", "b", "c", "a" }, cycle)
    local chooser, err = choose.compile { plugin("x", { before = { "y" } }), plugin("y", { before = { "x" } }) }
    assert.is_nil(chooser)
    assert.is_truthy(err.message:find("x -> y -> x", 1, true))
  end)

  it("does not depend on the order in which plugins were found", function()
    math.randomseed(3)
    local plugins = {}
    for i = 1, 60 do
      local after = i > 10 and math.random() < 0.5 and { "p" .. math.random(i - 1) } or nil
      plugins[i] = plugin("p" .. i, { priority = math.random(3), after = after })
    end
    local first = names(order.sort(plugins))
    for _ = 1, 10 do
      for i = #plugins, 2, -1 do
        local j = math.random(i)
        plugins[i], plugins[j] = plugins[j], plugins[i]
      end
      assert.equal(first, names(order.sort(plugins)))
    end
    local at = {}
    for i, p in ipairs(order.sort(plugins)) do at[p.name] = i end
    for _, p in ipairs(plugins) do
      for _, other in ipairs(p.manifest.after or {}) do assert.is_true(at[other] < at[p.name]) end
    end
  end)
end)

describe("the choice of a plugin", function()
  it("ranks the reasons, and gives them", function()
    local list, trace = chosen({
      plugin("by_intent", { intents = { { name = "book", threshold = 0.7 } }, priority = 999 }),
      plugin("by_pattern", { patterns = { "^/start" }, priority = 998 }),
      plugin("talking", { priority = 997 }),
      plugin("by_command", { commands = { { name = "start" } }, priority = 5 }),
      plugin("by_button", { priority = 4 }),
      plugin("by_rule", { priority = 1 }),
      plugin("stranger", { priority = 1000, commands = { { name = "other" } } }),
    }, {
      text = "/start now", type = "callback", payload = { plugin = "by_button" }, owner = "talking",
      intent = { name = "book", confidence = 0.8 }, verdict = { plugin = "by_rule" },
    })
    assert.equal("by_rule by_button by_command talking by_pattern by_intent", list)
    local reasons = {}
    for i, t in ipairs(trace) do reasons[i] = t.reason end
    assert.same({ "rule", "callback", "command", "conversation", "pattern", "intent" }, reasons)
    assert.equal("start", trace[3].detail)
  end)

  it("asks nobody when nothing fits", function()
    assert.equal("", (chosen({ plugin("a", { commands = { { name = "x" } } }) }, { text = "hello" })))
    assert.equal("", (chosen({ plugin("a") }, { text = "hello", owner = "gone", verdict = { plugin = "gone" } })))
  end)

  it("reads commands as channels send them", function()
    local plugins = { plugin("a", { commands = { { name = "start" } } }) }
    for _, input in ipairs {
      { text = "/start" }, { text = "/START x" }, { text = "/start@my_bot x" },
      { type = "command", payload = { command = "start" } },
      { type = "command", payload = { command = "/start" } },
    } do
      assert.equal("a", (chosen(plugins, input)))
    end
    for _, text in ipairs { "start", "/started", " /start", "/", "" } do
      assert.equal("", (chosen(plugins, { text = text })), text)
    end
  end)

  it("counts a plugin once, by its strongest reason", function()
    local a = plugin("a", { commands = { { name = "x" } }, patterns = { "x", "/" } })
    local list, trace = chosen({ a }, { text = "/x", owner = "a" })
    assert.equal("a", list)
    assert.equal(1, #trace)
    assert.equal("command", trace[1].reason)
  end)

  it("holds intents to their plugin's threshold, 0.5 when it states none", function()
    local plugins = {
      plugin("easy", { intents = { { name = "i", threshold = 0.2 } } }), plugin("plain", { intents = { { name = "i" } } }),
      plugin("strict", { intents = { { name = "i", threshold = 0.9 } } }),
    }
    assert.equal("", (chosen(plugins, { text = "t", intent = { name = "i", confidence = 0.1 } })))
    assert.equal("easy", (chosen(plugins, { text = "t", intent = { name = "i", confidence = 0.49 } })))
    assert.equal("easy plain", (chosen(plugins, { text = "t", intent = { name = "i", confidence = 0.5 } })))
    assert.equal("easy plain strict", (chosen(plugins, { text = "t", intent = { name = "i", confidence = 0.9 } })))
    assert.equal("easy plain strict", (chosen(plugins, { text = "t", verdict = { intent = "i" } })))
  end)

  it("comes to the alternatives after the intent itself", function()
    local list = chosen({ plugin("a", { intents = { { name = "one" } } }), plugin("b", { intents = { { name = "two" } } }) }, {
      text = "t", intent = { name = "two", confidence = 0.8, alternatives = { { name = "one", confidence = 0.6 } } },
    })
    assert.equal("b a", list)
  end)

  it("keeps degraded plugins for last and leaves disabled ones out, as they are now", function()
    local a = plugin("a", { commands = { { name = "x" } }, priority = 900 }, "degraded")
    local b = plugin("b", { commands = { { name = "x" } } })
    local c = plugin("c", { commands = { { name = "x" } } }, "disabled")
    local chooser = assert(choose.compile { a, b, c })
    local trace = {}
    local list = chooser:choose({ text = "/x" }, trace)
    assert.equal("b a", names(list))
    assert.equal("disabled", trace[3].skipped)
    a.state, b.state, c.state = "active", "disabled", "active"
    assert.equal("a c", names(chooser:choose { text = "/x" }))
  end)

  describe("under `when`", function()
    local function one(when, input)
      input.text = "/x"
      local list, trace = chosen({ plugin("a", { commands = { { name = "x" } }, when = when }) }, input)
      return list == "a" or trace[1].skipped
    end
    for _, case in ipairs {
      { { channels = { "telegram" } }, { channel = "telegram" }, true },
      { { channels = { "telegram" } }, { channel = "api" }, "channel" },
      { { channels = { "telegram" } }, {}, "channel" },
      { { roles = { "admin" } }, { role = "admin" }, true }, { { roles = { "admin" } }, { role = "user" }, "role" },
      { { roles = { "user" } }, {}, true },
      { { locales = { "uk" } }, { locale = "uk" }, true }, { { locales = { "uk" } }, { locale = "uk-UA" }, true },
      { { locales = { "uk-UA" } }, { locale = "uk_UA" }, true }, { { locales = { "uk-UA" } }, { locale = "uk" }, "locale" },
      { { locales = { "uk" } }, { locale = "ru" }, "locale" }, { { locales = { "uk" } }, {}, "locale" },
      { { states = { "asking" } }, { state = "asking" }, true }, { { states = { "asking" } }, {}, "state" },
      { { states = { "idle" } }, {}, true },
      { { channels = { "api" }, roles = { "admin" } }, { channel = "api", role = "user" }, "role" },
    } do
      local key, value = next(case[1])
      it(("%s %s and %s"):format(key, value[1], tostring((next(case[2]) and select(2, next(case[2]))))), function()
        assert.equal(case[3], one(case[1], case[2]))
      end)
    end
  end)

  it("refuses a pattern that cannot be followed", function()
    local none, err = choose.compile { plugin("a", { patterns = { "ok", "(%w+) %1" } }) }
    assert.is_nil(none)
    assert.is_truthy(err.message:find("a: patterns[1]", 1, true))
  end)

  it("asks only the plugins that a message concerns", function()
    local plugins = {}
    for i = 1, 1000 do
      -- Any look at a plugin that the message does not concern is an error.
      local p = plugin("p" .. i, { commands = { { name = "c" .. i } }, intents = { { name = "i" .. i } } })
      plugins[i] = p
    end
    local chooser = assert(choose.compile(plugins))
    for i = 1, 1000 do
      if i ~= 7 and i ~= 8 then
        plugins[i].state = nil
        setmetatable(plugins[i], { __index = function() error("plugin " .. i .. " was looked at") end })
      end
    end
    local list = chooser:choose { text = "/c7", intent = { name = "i8", confidence = 1 } }
    assert.equal("p7 p8", names(list))
  end)

  it("collects the intents for the classifier", function()
    local chooser = assert(choose.compile {
      plugin("a", { intents = { { name = "i", examples = { "x" } } }, when = { locales = { "en" } } }),
      plugin("b", { intents = { { name = "i", examples = { "y" } }, { name = "j" } } }),
    })
    assert.same({ { name = "i", examples = { "x", "y" } }, { name = "j", examples = {} } }, chooser:intent_examples())
  end)
end)
