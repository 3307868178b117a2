-- Turns with a language model behind them, and behind it a server that misbehaves.

local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake_openai"
local host = require "spec.support.host"
local json = require "host.json"
local meters = require "parley.ops.meters"
local task = require "host.task"
local check_error = require("parley.schema.compile").compile(require("parley.schema.errors").LLMErrorV1)

local function plugin(main, manifest)
  return { main = "local p = parley.plugin()\n" .. main .. "\nreturn p", manifest = manifest }
end

local PLUGINS = {
  table_for = plugin("p.on.intent('book.table', function(c, intent) c:reply('booked by ' .. intent.source) end)", {
    commands = json.array {}, intents = { { name = "book.table", examples = { "book a table", "reserve a table" } } },
  }),
  poet = plugin([[p.on.command("poem", function(c, text)
    local r, err = c.llm:chat(text)
    c:reply(r and r.source .. ": " .. r.text or err.code)
  end)]], { commands = { { name = "poem" } }, permissions = { "llm:chat" } }),
}

describe("a turn with a language model", function()
  local server
  setup(function() server = fake.start() end)
  teardown(function() server:stop() end)

  -- A model that hangs is waited for so long; the others take what they take.
  local function with_model(model, f)
    local h = host.start {
      plugins = PLUGINS,
      config = ([[return { llm = { provider = "openai", url = %q, key = "sk-SECRET-1", model = %q, timeout_seconds = %g,
        prices = { ok = { prompt = 2, completion = 8 } } } }]]):format(server.url, model, model == "hang" and 0.5 or 30),
    }
    f(h)
    h:stop()
  end

  -- Calls of the provider so far: those that went well, and the others.
  local function calls()
    local good, bad = 0, 0
    for outcome, n in meters.registry:render():gmatch 'parley_llm_calls_total{provider="openai",outcome="(.-)"} (%d+)' do
      if outcome == "ok" then good = good + n else bad = bad + n end
    end
    return good, bad
  end

  it("takes the intent that the model names", function()
    local good, bad = calls()
    with_model('say:{"intent":"book.table","confidence":0.93}', function(h)
      local r = h:say("d", "we would like to eat at your place").body
      assert.equal("booked by openai", r.text)
      assert.equal("table_for", r.plugin.name)
      assert.equal("openai", r.intent.source)
      assert.equal(0.93, r.intent.confidence)
      assert.equal(1000, r.usage.prompt_tokens)
      assert.same({ good + 1, bad }, { calls() })
    end)
  end)

  it("does not ask the model about a command", function()
    with_model("ok", function(h)
      local before = #server:log()
      assert.equal("hi", h:say("d", "/echo hi").body.text)
      assert.equal(before, #server:log())
    end)
  end)

  for _, model in ipairs {
    "status:500", "status:401", "status:429", "hang", "reset", "garbage", "truncated", "short", "big", "ok",
    'say:{"intent":"nonsense","confidence":1}', 'say:{"intent":"book.table","confidence":7}', "say:[1]",
  } do
    it("goes on offline when the model does " .. model, function()
      with_model(model, function(h)
        local good, bad = calls()
        local r = h:say("d", "please book a table").body
        assert.equal("booked by mock", r.text)
        assert.same({ good, bad + 1 }, { calls() })
        assert.equal("mock", r.intent.source)
        local row = h.core.db:first "SELECT severity, details FROM audit_logs WHERE action = 'llm_fallback'"
        assert.equal("warning", row.severity)
        assert.is_nil(row.details:find("SECRET", 1, true))
        assert.is_nil(check_error(json.decode(row.details)))
      end)
    end)
  end

  it("holds nobody else up while the model thinks", function()
    with_model("held", function(h)
      local before = #server:log()
      local t = task.spawn(function() return h:say("slow", "please book a table").body.text end)
      eventually("the model is asked", function() return #server:log() > before end)
      assert.equal("quick", h:say("other", "/echo quick").body.text)
      assert.equal("waiting", t:status())
      server:go()
      assert.is_true(t:join(30))
    end)
  end)

  it("lets a plugin ask it", function()
    with_model("ok", function(h)
      local r = h:say("d", "/poem roses are red").body
      assert.equal("openai: echo: roses are red", r.text)
      assert.equal(1500, r.usage.prompt_tokens + r.usage.completion_tokens)
      assert.equal(0.006, r.usage.cost)
      local kept = h.core.db:first("SELECT llm_usage FROM messages WHERE id = $1", r.reply_message_id).llm_usage
      assert.same(r.usage, json.decode(kept))
    end)
    with_model("status:500", function(h)
      assert.matches("^mock: ", h:say("d", "/poem roses are red").body.text)
    end)
  end)
end)
