local host = require "spec.support.host"

local CONFIG = [[return { plugins = { faq = {
  intents = { { name = "shop.hours", examples = { "when are you open", "opening hours", "когда вы открыты" } } },
  answers = {
    ["shop.hours"] = {
      en = { title = "Opening hours", text = "9 to 17, <b>every</b> day", link = "https://example.org/hours" },
      ru = "С 9 до 17",
    },
    ["faq.data"] = "In our cellar.",
  },
} } }]]

describe("faq", function()
  local h
  setup(function() h = host.start { config = CONFIG } end)
  teardown(function() h:stop() end)

  it("answers in the language of the question's user", function()
    for text, answer in pairs {
      ["what is parley?"] = "^What is Parley%?\nParley hosts", ["Кто ты?"] = "^Что такое Parley%?\nParley ведёт",
      ["Хто ти?"] = "^Що таке Parley%?\nParley веде",
    } do
      local locale = ({ Q = "ru", X = "uk" })[text:find "Кто" and "Q" or text:find "Хто" and "X" or ""] or "en"
      local r = h:say("about-" .. locale, text, { locale = locale }).body
      assert.equal("faq", r.plugin.name, text)
      assert.matches(answer, r.text)
      assert.equal("faq.about", r.intent.name)
    end
  end)

  it("answers what the operator has configured, with entities", function()
    local r = h:say("d", "when are you open", { locale = "en" }).body
    assert.equal("Opening hours\n9 to 17, <b>every</b> day\nhttps://example.org/hours", r.text)
    local action = r.actions[1]
    assert.equal("entities", action.format)
    assert.same({ type = "bold", offset = 0, length = 13 }, action.entities[1])
    assert.equal("text_link", action.entities[2].type)
    assert.equal("С 9 до 17", h:say("d", "когда вы открыты", { locale = "ru" }).body.text)
    assert.equal("In our cellar.", h:say("d", "where is my data stored", { locale = "en" }).body.text)
  end)

  it("offers its questions as buttons, and answers a press", function()
    local r = h:say("d", "/faq", { locale = "en" }).body
    local rows = r.actions[1].buttons
    assert.equal(4, #rows)
    assert.same({ text = "In our cellar.", data = { q = "faq.data" }, plugin = "faq" }, rows[1][1])
    local press = h:request("POST", "/api/v1/dialogs/d/messages", {
      user = { external_id = "alice" }, type = "callback", locale = "en", payload = { plugin = "faq", data = rows[2][1].data },
    }).body
    assert.equal("faq", press.plugin.name)
    assert.matches("^Opening hours", press.text)
    -- A button of yesterday, and what no button holds.
    for data, status in pairs { ["shop.gone"] = "answered", [5] = "fallback" } do
      local old = h:request("POST", "/api/v1/dialogs/d/messages", {
        user = { external_id = "alice" }, type = "callback", payload = { plugin = "faq", data = { q = data } },
      }).body
      assert.equal(status, old.status)
    end
  end)

  it("leaves to others what it does not know", function()
    assert.equal("text_reply", h:say("d", "sing me a song about the sea").body.plugin.name)
  end)

  it("has its configuration checked", function()
    local generation = require "parley.plugins.generation"
    local config = require "parley.config"
    for text, pattern in pairs {
      ["intents = { { examples = { 'x' } } }"] = "plugins.faq.intents%[0%]",
      ["intents = { { name = 'a b', examples = { 'x' } } }"] = "plugins.faq.intents%[0%].name: an intent like",
      ["intents = 5"] = "plugins.faq.intents",
      ["answers = 5"] = "conf/parley.lua:1: plugins.faq.answers: object expected, got number",
      ["anwsers = {}"] = "plugins.faq.anwsers: is not a known field",
    } do
      local home = host.temp_dir()
      require("host.fs").mkdir(home .. "/conf")
      require("host.fs").write(home .. "/conf/parley.lua", "return { plugins = { faq = { " .. text .. " } } }")
      local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
      assert.is_nil(g)
      assert.matches(pattern, err.message)
    end
  end)
end)
