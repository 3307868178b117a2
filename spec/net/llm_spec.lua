local fake = require "spec.support.fake_openai"
local json = require "host.json"
local llm = require "parley.llm.router"
local time = require "host.time"

local KEY = "sk-test-SECRET-1234567890"

local intents = {
  { name = "greet", examples = { "hello", "привет" } }, { name = "book", examples = { "book a table", "забронировать столик" } },
}

describe("the language model", function()
  local server, sleeps
  before_each(function()
    server, sleeps = fake.start(), {}
  end)
  after_each(function() server:stop() end)

  local function router(more)
    local opts = {
      provider = "openai", url = server.url .. "/", key = KEY, model = "ok", timeout_seconds = 5, allow_private = true,
      request = server.request, sleep = function(s) sleeps[#sleeps + 1] = s end,
      prices = { ok = { prompt = 2, completion = 8 } }, breaker = { min_calls = 100 },
    }
    for k, v in pairs(more or {}) do opts[k] = v end
    return llm.new(opts)
  end

  local function ask(model, more)
    local request = { messages = { { role = "user", content = "hi" } }, model = model, fallback = false }
    for k, v in pairs(more or {}) do request[k] = v end
    return router():chat(request)
  end

  it("answers with usage and cost, and sends what the protocol wants", function()
    local trace = ("ab"):rep(16)
    local r = assert(ask("ok", { temperature = 0.5, max_tokens = 7, trace_id = trace }))
    assert.equal("echo: hi", r.text)
    assert.equal("openai", r.source)
    assert.equal("ok", r.model)
    assert.same({ prompt_tokens = 1000, completion_tokens = 500, cost = 0.006 }, r.usage)
    local sent = server:log()[1]
    assert.equal("/v1/chat/completions", sent.path)
    assert.equal("Bearer " .. KEY, sent.headers.Authorization)
    assert.matches("^00%-" .. trace .. "%-%x+%-01$", sent.headers.traceparent)
    assert.same({ model = "ok", temperature = 0.5, max_tokens = 7, messages = { { role = "user", content = "hi" } } }, sent.body)
  end)

  for model, want in pairs {
    ["status:400"] = { "bad_status", false, 1, 400 }, ["status:401"] = { "bad_status", false, 1, 401 },
    ["status:500"] = { "bad_status", true, 2, 500 }, ["status:503"] = { "bad_status", true, 2, 503 },
    ["status:429"] = { "rate_limited", true, 2, 429 }, reset = { "connect", true, 2 }, short = { "connect", true, 2 },
    garbage = { "invalid_response", false, 1, 200 }, truncated = { "invalid_response", false, 1, 200 },
    big = { "too_large", false, 1 },
    ["json:[]"] = { "invalid_response", false, 1, 200 }, ["json:{}"] = { "invalid_response", false, 1, 200 },
    ['json:{"choices":[]}'] = { "invalid_response", false, 1, 200 },
    ['json:{"choices":[{"message":{"content":null}}]}'] = { "invalid_response", false, 1, 200 },
    ['json:{"choices":[{"message":{"content":"x","refusal":"no"}}]}'] = { "invalid_response", false, 1, 200 },
    ['json:{"choices":7}'] = { "invalid_response", false, 1, 200 },
  } do
    it("fails as an LLMError: " .. model, function()
      local r, err = ask(model)
      assert.is_nil(r)
      assert.same(want, { err.code, err.retryable, err.attempt, err.http_status })
      assert.equal("openai", err.provider)
      assert.equal(want[3], #server:log())
    end)
  end

  it("fails when nobody listens", function()
    server:stop()
    local r, err = ask "ok"
    assert.is_nil(r)
    assert.equal("connect", err.code)
    server = fake.start()
  end)

  it("ends at its deadline, all attempts together", function()
    local since = time.mono()
    local r, err = ask("hang", { timeout = 0.3 })
    assert.is_nil(r)
    assert.same({ "timeout", false, 1 }, { err.code, err.retryable, err.attempt })
    assert.is_true(time.mono() - since < 3)
    assert.equal("echo: hi", assert(ask("slow:0.2", { timeout = 4 })).text)
  end)

  it("tries once more, after the pause that the provider asks for", function()
    assert.equal("echo: hi", assert(ask "limited:2").text)
    assert.same({ 2 }, sleeps)
  end)

  it("tries once more after a short pause of its own", function()
    assert.equal("echo: hi", assert(ask "status-once:502").text)
    assert.same({ 0.25 }, sleeps)
  end)

  it("does not wait for a pause that ends after the deadline", function()
    local r, err = ask("limited:30", { timeout = 2 })
    assert.is_nil(r)
    assert.same({ "rate_limited", 30, 1 }, { err.code, err.retry_after, err.attempt })
    assert.same({}, sleeps)
  end)

  it("never shows its key", function()
    local _, err = ask "leak"
    assert.is_truthy(err.message:find("[key]", 1, true), err.message)
    assert.is_nil(json.encode(err):find(KEY, 1, true))
  end)

  it("asks for documents by schema, and takes only JSON", function()
    local schema = { type = "object", required = json.array { "n" }, properties = { n = { type = "integer" } } }
    local r = assert(ask('say:{"n":3}', { json_schema = schema }))
    assert.same({ n = 3 }, r.json)
    local format = server:log()[1].body.response_format
    assert.equal("json_schema", format.type)
    assert.same(schema, format.json_schema.schema)
    local none, err = ask("say:no json", { json_schema = schema })
    assert.is_nil(none)
    assert.equal("invalid_response", err.code)
  end)

  it("holds documents to the schema when it is given a checker", function()
    local r = router { check = function(_, v) return v.n ~= 3 and "n is not 3" or nil end }
    local function n(text)
      local messages = { { role = "user", content = "hi" } }
      return r:chat { messages = messages, model = "say:" .. text, json_schema = {}, fallback = false }
    end
    assert.equal(3, assert(n '{"n":3}').json.n)
    local none, err = n '{"n":4}'
    assert.is_nil(none)
    assert.equal("n is not 3", err.message)
  end)

  it("falls back to the mock and says why", function()
    local r = assert(router():chat { messages = { { role = "user", content = "hi" } }, model = "garbage" })
    assert.equal("mock", r.source)
    assert.equal("You said: hi", r.text)
    assert.equal("invalid_response", r.fallback_error.code)
  end)

  it("stops asking a provider that fails, and asks again later", function()
    local now = 100
    local r = router { clock = function() return now end, breaker = { min_calls = 3, open_for = 10, probes = 1 } }
    local function chat(model)
      return r:chat { messages = { { role = "user", content = "hi" } }, model = model, fallback = false }
    end
    for _ = 1, 3 do chat "garbage" end
    local before = #server:log()
    local none, err = chat "ok"
    assert.is_nil(none)
    assert.equal("circuit_open", err.code)
    assert.equal(10, err.retry_after)
    assert.equal(before, #server:log())
    assert.equal("open", r:stats().breaker.state)
    now = now + 10
    assert.equal("echo: hi", assert(chat "ok").text)
    assert.equal("closed", r:stats().breaker.state)
  end)

  it("does not blame the provider for a bad question", function()
    local r = router { breaker = { min_calls = 2 } }
    for _ = 1, 5 do r:chat { messages = { { role = "user", content = "hi" } }, model = "status:400" } end
    assert.equal("closed", r:stats().breaker.state)
  end)

  it("classifies by the provider", function()
    local r = router():classify("столик, пожалуйста", intents, { model = 'say:{"intent":"book","confidence":0.83}' })
    assert.same({ "book", 0.83, "openai" }, { r.name, r.confidence, r.source })
    assert.equal(1000, r.usage.prompt_tokens)
    local body = server:log()[1].body
    assert.same({ "greet", "book", "none" }, body.response_format.json_schema.schema.properties.intent.enum)
    assert.is_truthy(body.messages[1].content:find("забронировать столик", 1, true))
    assert.equal("столик, пожалуйста", body.messages[2].content)
    r = router():classify("x", intents, { model = 'say:{"intent":"none","confidence":1}' })
    assert.is_nil(r.name)
    assert.equal(0, r.confidence)
  end)

  for _, model in ipairs {
    'say:{"intent":"rm -rf","confidence":1}', 'say:{"intent":"book"}', 'say:{"intent":"book","confidence":7}',
    'say:{"intent":"book","confidence":"high"}', "say:[]", "say:book", "hang", "reset", "status:500",
  } do
    it("classifies offline when the provider gives no usable answer: " .. model, function()
      local r = router { timeout_seconds = 0.3 }:classify("book a table", intents, { model = model })
      assert.same({ "book", 1, "mock" }, { r.name, r.confidence, r.source })
      assert.is_table(r.fallback_error)
    end)
  end

  it("names only the intents that could be meant, of many", function()
    local many = {}
    for i = 1, 200 do many[i] = { name = "intent" .. i, examples = { "word" .. i .. " common" } } end
    local r = router():classify("word77 common", many, { model = 'say:{"intent":"intent77","confidence":1}' })
    assert.equal("intent77", r.name)
    assert.is_true(#server:log()[1].body.response_format.json_schema.schema.properties.intent.enum <= 61)
  end)
end)

describe("the mock provider", function()
  local r = llm.new {}

  it("answers the same question in the same way, without a network", function()
    local request = { messages = { { role = "system", content = "s" }, { role = "user", content = "привет" } } }
    local a = assert(r:chat(request))
    assert.equal("You said: привет", a.text)
    assert.equal("mock", a.source)
    assert.is_nil(a.fallback_error)
    assert.same({ prompt_tokens = 3, completion_tokens = 4, cost = 0 }, a.usage)
    assert.same(a, r:chat(request))
  end)

  it("makes documents of a schema", function()
    local a = assert(r:chat {
      messages = { { role = "user", content = "x" } },
      json_schema = {
        type = "object", required = { "a", "b", "c", "d", "e" }, properties = {
          a = { enum = { "first", "second" } }, b = { type = "integer", minimum = 3 }, c = { type = "array", items = {} },
          d = { type = "string", minLength = 2 }, e = { type = { "boolean", "null" } }, f = { type = "string" },
        },
      },
    })
    assert.equal('{"a":"first","b":3,"c":[],"d":"xx","e":false}', a.text)
    assert.equal("first", a.json.a)
  end)

  it("refuses requests that are no conversation, at the caller's line", function()
    for _, request in ipairs { {}, { messages = {} }, { messages = { { role = "root", content = "x" } } },
      { messages = { { role = "user" } } } } do
      local ok, message = pcall(function() r:chat(request) end)
      assert.is_false(ok)
      assert.matches("llm_spec.lua:%d+: llm:chat: ", message)
    end
  end)
end)
