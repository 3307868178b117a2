local config = require "parley.config"
local fs = require "host.fs"

local function home_with(text)
  local home = os.tmpname()
  os.remove(home)
  assert(fs.mkdir(home .. "/conf"))
  if text then assert(fs.write(home .. "/conf/parley.lua", text)) end
  return home
end

local function load(text, environment)
  return config.load(home_with(text), { getenv = function(name) return (environment or {})[name] end })
end

describe("the configuration", function()
  it("has a default for everything", function()
    local c = assert(load())
    assert.equal("127.0.0.1:8080", c.http_listen)
    assert.equal("mock", c.llm.provider)
    assert.matches("^sqlite:.*/data/parley.db$", c.database_url)
  end)

  it("takes the file over the defaults and the environment over the file", function()
    local text = "return { locale = 'uk', log_level = 'warn', llm = { model = 'm' } }"
    local environment = { PARLEY_LOG_LEVEL = "error", PARLEY_LLM_PROVIDER = "openai" }
    local _, err = load(text, environment)
    assert.matches("llm.url %(PARLEY_LLM_URL%) is needed by the provider 'openai'", err.message)
    environment.PARLEY_LLM_URL = "http://127.0.0.1:1/v1"
    local c = assert(load(text, environment))
    assert.equal("uk", c.locale)
    assert.equal("error", c.log_level)
    assert.equal("openai", c.llm.provider)
    assert.equal("m", c.llm.model)
  end)

  it("takes what stands in the environment from a file, too", function()
    local path = os.tmpname()
    assert(fs.write(path, "redis://:sesame@host\n"))
    assert.equal("redis://:sesame@host", assert(load(nil, { PARLEY_REDIS_URL_FILE = path })).redis_url)
    assert.equal("redis://other",
      load(nil, { PARLEY_REDIS_URL_FILE = path, PARLEY_REDIS_URL = "redis://other" }).redis_url)
    os.remove(path)
    local _, err = load("return { redis_url = 'redis://host' }", { PARLEY_REDIS_URL_FILE = path })
    assert.matches("^PARLEY_REDIS_URL_FILE: .*" .. path:gsub("%p", "%%%0"), err.message)
  end)

  it("has one worker for SQLite, one per core for PostgreSQL, and half of them beside it", function()
    local cores = math.min(fs.cores(), 64)
    local function workers(url) return assert(load(nil, { PARLEY_DATABASE_URL = url })).workers end
    assert.equal(1, workers())
    for _, url in ipairs {
      "postgres://db.example.org/parley", "postgresql://u:p@10.0.0.1:5432/parley", "postgres://a,b/parley?host=db",
      "postgres://u:localhost@db:5432/localhost",
    } do
      assert.equal(cores, workers(url), url)
    end
    for _, url in ipairs {
      "postgres://parley@/parley?host=/run/postgresql&port=1", "postgres:///parley", "postgres://localhost/parley",
      "postgresql://u:p@127.0.0.1:5432/parley", "postgres://u@[::1]:5432/parley", "postgres:///p?host=%2Frun",
    } do
      assert.equal(math.max(1, math.floor(cores / 2)), workers(url), url)
    end
    assert.equal(3, assert(load(nil, { PARLEY_DATABASE_URL = "postgres:///parley", PARLEY_WORKERS = "3" })).workers)
  end)

  it("refuses a redis_url that is none, without telling its password", function()
    local _, err = load(nil, { PARLEY_REDIS_URL = "redis://:sesame@host:none" })
    assert.matches("^redis_url: the port", err.message)
    assert.is_nil(err.message:find("sesame", 1, true))
    assert.equal("redis://host", load("return { redis_url = 'redis://host' }").redis_url)
  end)

  it("limits rates in staging and production, unless the file says otherwise", function()
    assert.same({}, assert(load()).rate_limits)
    assert.equal(0, load().http_connections_per_address)
    for _, profile in ipairs { "staging", "prod" } do
      local text = "return { profile = '" .. profile .. "', %s }"
      local c = assert(load(text:format ""))
      assert.same({ requests = 20, seconds = 10 }, c.rate_limits.user)
      assert.equal(256, c.http_connections_per_address)
      c = assert(load(text:format "rate_limits = { bot = { requests = 1, seconds = 2 } }"))
      assert.same({ bot = { requests = 1, seconds = 2 } }, c.rate_limits)
      assert.same({}, assert(load(text:format "rate_limits = {}")).rate_limits)
    end
  end)

  it("offers env, secret and include, and nothing else", function()
    local home = home_with "return { locale = env('L', 'ru'), llm = include 'llm.lua' }"
    assert(fs.write(home .. "/conf/llm.lua", "return { key = secret 'K' }"))
    local c = assert(config.load(home, { getenv = function(n) return ({ K = "sesame" })[n] end }))
    assert.equal("ru", c.locale)
    assert.equal("sesame", c.llm.key)
    assert(fs.write(home .. "/k", "from file\n"))
    c = assert(config.load(home, { getenv = function(n) return ({ K_FILE = home .. "/k" })[n] end }))
    assert.equal("from file", c.llm.key)
    local _, err = load "return { locale = os.getenv 'HOME' }"
    assert.matches("parley.lua:1:.*'os'", err.message)
  end)

  it("says the whole path of a file, however long it is", function()
    for text, message in pairs {
      ["return {"] = "/conf/parley.lua:1: unexpected symbol", ["local x\nreturn x.y"] = "/conf/parley.lua:2: attempt to index",
    } do
      local home = home_with() .. ("/deep"):rep(20)
      assert(fs.mkdir(home .. "/conf"))
      assert(fs.write(home .. "/conf/parley.lua", text))
      local _, err = config.load(home, { getenv = function() end })
      assert.equal(home .. message, err.message:sub(1, #home + #message))
    end
  end)

  it("says file, line, key, what was expected and what came", function()
    for text, message in pairs {
      ["return {\n  locale = 1,\n}"] = "parley.lua:2: 'locale': expected a string, got number",
      ["return { htp_listen = '' }"] = "parley.lua:1: unknown key 'htp_listen'. Did you mean 'http_listen'?",
      ["return { http_listen = 'localhost' }"] = "expected HOST:PORT with a numeric host, got 'localhost'",
      ["return { workers = 99 }"] = "'workers': expected 1 to 64, got 99",
      ["return { workers = 2 }"] = "2 workers need PostgreSQL",
      ["return { profile = 'pord' }"] = "expected one of dev, staging, prod, got 'pord'. Did you mean 'prod'?",
      ["return { llm = { provder = 1 } }"] = "unknown key 'llm.provder'. Did you mean 'provider'?",
      ["return { rate_limits = {\n bot = { requests = 5 },\n} }"] = "parley.lua:2: 'rate_limits.bot.seconds' is missing",
      ["return { rate_limits = {\n bot = { requests = 5, seconds = 1 },\n user = { seconds = 1,\n requests = 0 } } }"] =
        "parley.lua:4: 'rate_limits.user.requests': expected 1 to 1e+06, got 0",
      ["return { rate_limits = { user = { requests = 1.5, seconds = 1 } } }"] =
        "parley.lua:1: 'rate_limits.user.requests': expected a whole number, got 1.5",
      ["return { rate_limits = { user = { requests = 0 / 0, seconds = 1 } } }"] =
        "'rate_limits.user.requests': expected 1 to 1e+06, got ",
      ["return { rate_limits = { user = 5 } }"] = "'rate_limits.user': expected a table, got number",
      ["return { rate_limits = { user = { 20, 10 } } }"] = "unknown key 'rate_limits.user.1'",
      ["return { http_connections = 5 }"] = "'http_connections': expected 10 to 1e+06, got 5",
      ["return { rate_limits = { users = {} } }"] = "unknown key 'rate_limits.users'. Did you mean 'user'?",
      ["return { rate_limits = { bot = { requests = '5', seconds = 1 } } }"] =
        "'rate_limits.bot.requests': expected a number, got '5'",
      ["return { rate_limits = { bot = { requests = 5, seconds = 86401 } } }"] =
        "'rate_limits.bot.seconds': expected 1 to 86400, got 86401",
      ["return 1"] = "must return a table, got number",
      ["return {"] = "parley.lua:1: unexpected symbol near '<eof>'",
      ["return { llm = include '../x' }"] = "a file beside this one expected",
      ["return { llm = { key = secret 'NO' } }"] = "secret 'NO': set NO or NO_FILE",
    } do
      local c, err = load(text)
      assert.is_nil(c)
      assert.equal("config", err.code)
      assert(err.message:find(message, 1, true), err.message)
    end
    local _, err = load(nil, { PARLEY_WORKERS = "many" })
    assert.equal("PARLEY_WORKERS: 'workers': expected a number, got 'many'", err.message)
  end)
end)
