-- Marked secrets on every path that takes one, then a search for them everywhere but where they belong.

local crypto = require "host.crypto"
local fs = require "host.fs"
local host_postgres = require "host.postgres"
local http = require "host.http_client"
local json = require "host.json"
local postgres = require "spec.support.postgres"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local redis = require "host.redis"
local redis_server = require "spec.support.redis"
local registration = require "spec.support.registration"
local serve = require "spec.support.serve"
local support = require "spec.support.host"

local function mark(name) return ("canary%s%s"):format(name, crypto.hex(crypto.random(12))) end
local function whsec(name) return "whsec_" .. crypto.base64(mark(name) .. ("x"):rep(8)) end

local SECRET = {
  key = mark "key", llm = "sk-" .. mark "llm", header = mark "header", folder = whsec "folder", hook = whsec "hook",
  path = mark "path", query = mark "query",
}

local PLUGINS = {
  caller = {
    manifest = {
      commands = { { name = "call" }, { name = "poem" } }, secrets = { "api" }, permissions = { "llm:chat", "http:127.0.0.1:%d" },
    },
    main = [[
      local p = parley.plugin()
      p.on.command("call", function(c, url)
        local r, err = c.http:get(url, { headers = { Authorization = "Bearer ${secret:api}" } })
        c:reply(r and tostring(r.status) or err.code .. ": " .. err.message)
      end)
      p.on.command("poem", function(c)
        local r, err = c.llm:chat "write"
        c:reply(r and r.text or err.code .. ": " .. err.message)
      end)
      return p]],
  },
  folder = {
    manifest = { transport = "rest", endpoint = "http://127.0.0.1:%d", commands = { { name = "bad" } } },
  },
}

local CONFIG = [[return {
  profile = "staging", log_level = "debug", log_format = "json",
  llm = { provider = "openai", url = %q, key = secret "SPEC_LLM_KEY", model = "leak" },
  secrets = { api = %q },
  plugins = { folder = { signing_secret = %q, allow_private = true }, caller = { allow_private = true } },
}]]
local TRIGGERS = [[return { { id = "H", event = "plugin_*", act = {
  { webhook = "http://127.0.0.1:1/%s?key=%s", secret = %q, allow_private = true } } } }]]

describe("secrets", function()
  local database, store, model, vendor, h, said
  local tokens = {}

  setup(function()
    database, store = postgres.start(), redis_server.start()
    model, vendor = python.start "spec/support/fake_openai.py", python.start "spec/support/fake_plugin.py"
    local folder, caller = PLUGINS.folder.manifest, PLUGINS.caller.manifest
    folder.endpoint, caller.permissions[2] = folder.endpoint:format(vendor.port), caller.permissions[2]:format(vendor.port)
    local home = support.temp_dir()
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/parley.lua",
      CONFIG:format(("http://127.0.0.1:%d/v1"):format(model.port), SECRET.header, SECRET.folder)))
    assert(fs.write(home .. "/conf/triggers.lua", TRIGGERS:format(SECRET.path, SECRET.query, SECRET.hook)))
    for name, p in pairs(PLUGINS) do support.write_plugin({ home = home }, name, p) end
    SECRET.database = database.tcp_url:match ":([^:@/]+)@"
    SECRET.redis, SECRET.redis_escaped = "p@ss:w/rd", store.url:match "redis://:([^@]+)@"
    h = serve.start { home = home, env = {
      PARLEY_DATABASE_URL = database.tcp_url, PARLEY_REDIS_URL = store.url, PARLEY_SECRET_KEY = SECRET.key,
      PARLEY_ALLOW_PRIVATE_PLUGINS = "true", SPEC_LLM_KEY = SECRET.llm, PARLEY_WORKERS = "2",
    } }
    h.env = { PARLEY_DATABASE_URL = database.tcp_url, PARLEY_REDIS_URL = store.url, SPEC_LLM_KEY = SECRET.llm,
      PARLEY_SECRET_KEY = SECRET.key }
    said = {}
  end)
  teardown(function()
    h:close()
    for _, server in ipairs { model, vendor, store, database } do server:stop() end
  end)

  local function keep(what, text) said[#said + 1] = { what, text or "" } end

  ---Keeps the answer for the search, unless it is one that shows a secret.
  local function ask(method, path, body, token, more)
    local r = assert(http.request {
      url = ("http://127.0.0.1:%d%s"):format(more and more.port or h.port, path), method = method,
      body = body and json.encode(body) or nil, allow_private = true, timeout = 30, max_body = 4e6,
      headers = { ["content-type"] = body and "application/json" or nil, authorization = token and "Bearer " .. token or nil },
    })
    if not (more and more.shows) then keep(method .. " " .. path, r.body) end
    return r.status, (json.decode(r.body))
  end

  ---A command of parley; its output is searched, too.
  local function command(arguments, more)
    local env = {}
    for _, all in ipairs { h.env, more or {} } do for k, v in pairs(all) do env[k] = v end end
    local code, out = h:run(arguments, { env = env })
    keep("parley " .. arguments, out)
    return code, out
  end

  local function issue(kind, scopes)
    local code, out = h:run(("token create --kind %s --scopes %s"):format(kind, scopes), { env = h.env })
    assert(code == 0, out)
    local text = out:match "prl_[%w_]+"
    tokens[kind], SECRET["token " .. kind] = text, text:match "_(%w+)$"
    return text
  end

  local function say(text)
    return select(2, ask("POST", "/api/v1/dialogs/d/messages",
      { user = { external_id = "alice" }, type = "text", text = text }, tokens.bot))
  end

  -- The text of every row, and of every key.
  local function in_database()
    local db = host_postgres.open { url = database.url, writers = 1, readers = 1 }
    assert(host_postgres.wait(db))
    for _, t in ipairs(db:query "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") do
      local rows = {}
      for i, r in ipairs(assert(db:query(("SELECT x::text AS t FROM %s x"):format(t.tablename)))) do rows[i] = r.t end
      keep("table " .. t.tablename, table.concat(rows, "\n"))
    end
    db:close()
  end

  local function in_redis()
    local r = assert(redis.open { url = store.url })
    local READ = {
      string = function(key) return r:call("GET", key) end,
      stream = function(key) return r:call("XRANGE", key, "-", "+") end,
      hash = function(key) return r:call("HGETALL", key) end,
    }
    for _, key in ipairs(assert(r:call("KEYS", "*"))) do
      keep("key " .. key, key .. json.encode(assert(READ[r:call("TYPE", key)](key))))
    end
    r:close()
  end

  it("are used", function()
    for kind, scopes in pairs {
      bot = "dialogs:write,dialogs:read,users:write", reg = "plugins:manage", adm = "admin",
    } do issue(kind, scopes) end
    local status, r = ask("POST", registration.PATH, {
      manifest = registration.manifest { endpoint = ("http://127.0.0.1:%d"):format(vendor.port) },
    }, tokens.reg, { shows = true })
    assert.equal(201, status)
    SECRET.signing, SECRET["token plg"] = r.signing_secret:sub(7), r.token:match "_(%w+)$"
    ask("POST", "/api/v1/plugins/dice/heartbeat", { status = "ok", version = "1.0.0" }, r.token)
    assert.equal("yes", say("/roll").text and "yes")
    assert.equal("yes", say("/bad status 500").text and "yes")
    assert.equal("200", say(("/call http://127.0.0.1:%d/manifest"):format(vendor.port)).text:match "^%d+" and "200")
    assert.is_string(say("/poem").text)
    say "what would you like to tell me?" -- the model is asked for the intent, and quotes the key in its refusal
    status, r = ask("POST", "/api/v1/admin/tokens", { kind = "bot", scopes = { "dialogs:read" } }, tokens.adm, { shows = true })
    assert.equal(201, status)
    SECRET["token of the API"] = r.token:match "_(%w+)$"
    local id = r.id
    status, r = ask("POST", ("/api/v1/admin/tokens/%s/rotate"):format(id), {}, tokens.adm, { shows = true })
    assert.equal(200, status)
    SECRET["token rotated"] = r.token:match "_(%w+)$"
    -- What is no token here may be one elsewhere.
    SECRET["token unknown"] = mark "unknown"
    ask("GET", "/api/v1/dialogs/d", nil, "prl_bot_" .. SECRET["token unknown"])
    ask("GET", "/api/v1/dialogs/d", nil, (tokens.bot:gsub("_%w+$", "_" .. SECRET["token rotated"])))
    ask("POST", "/api/v1/admin/reload", {}, tokens.adm)
    for _, path in ipairs { "/admin/tokens", "/admin/audit?limit=200", "/plugins?status=all", "/plugins/events" } do
      assert.equal(200, (ask("GET", "/api/v1" .. path, nil, tokens.adm)))
    end
    for _, path in ipairs { "/metrics", "/healthz", "/readyz" } do ask("GET", path, nil, nil, { port = h.ops }) end
    for _, arguments in ipairs { "status", "status -o json", "check", "token list", "migrate status" } do
      assert.equal(0, (command(arguments)), arguments)
    end
  end)

  it("are kept out of what is said about settings that are wrong", function()
    local wrong = {
      PARLEY_DATABASE_URL = {
        "postgres://u:%s@127.0.0.1:1x/db", "postgres://u:%s@127.0.0.1/db?sslmode=perhaps", "postgres://u:%%zz%s@h/db",
        "postgres://u:%s @127.0.0.1/db", "postgres://u:%s@127.0.0.1:1/db", "postgres://u:%s@[::1/db",
        "postgres://u@h/d?passwort=%s", "mysql://u:%s@h/db", "postgres://u:%s/x@127.0.0.1:1/db",
        "postgres://u:x@%s@127.0.0.1:1/db",
      },
      PARLEY_REDIS_URL = { "redis://:%s@h:port", "redis://%s@h", "redis://:%s@h/x", "http://:%s@h", "redis://:%%zz%s@h" },
      PARLEY_SECRET_KEY = { "%s" },
    }
    SECRET.wrong = "canarywrong" .. crypto.hex(crypto.random(4))
    for name, list in pairs(wrong) do
      for _, form in ipairs(list) do
        local code, out = command("migrate status", { [name] = form:format(SECRET.wrong) })
        assert.is_true(code ~= 0 or name ~= "PARLEY_DATABASE_URL", form .. ": " .. out)
        command("check", { [name] = form:format(SECRET.wrong) })
      end
    end
  end)

  it("are kept out of what is said about servers that refuse them", function()
    local before = { store.url, database.tcp_url }
    SECRET.refused = mark "refused"
    local code = command("migrate status", { PARLEY_DATABASE_URL = before[2]:gsub(SECRET.database, SECRET.refused) })
    assert.not_equal(0, code)
    store:kill()
    programs.eventually("Redis is away", function()
      return select(2, ask("GET", "/readyz", nil, nil, { port = h.ops })).mode == "degraded"
    end)
    store:again()
    database:kill()
    programs.eventually("PostgreSQL is away", function() return say("/roll").status == 503 end)
    ask("GET", "/healthz", nil, nil, { port = h.ops })
    database:again()
    programs.eventually("PostgreSQL is back", function() return say("/roll").dialog_id end)
  end)

  it("stand nowhere else", function()
    programs.eventually("the trigger has given up", function() return h:file "err":find "webhook of a trigger was not taken" end)
    keep("the log", h:file "out" .. h:file "err")
    in_database()
    in_redis()
    assert.is_true(#said > 80)
    for _, one in ipairs(said) do
      for name, value in pairs(SECRET) do
        local at = one[2]:find(value, 1, true)
        assert(not at, at and ("%s stands in %s: %s"):format(name, one[1], one[2]:sub(math.max(1, at - 200), at + 60)))
      end
    end
  end)
end)
