-- What plugins reach through the door, in whole turns.

local config = require "parley.config"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local generation = require "parley.plugins.generation"
local host = require "spec.support.host"
local http = require "host.http_client"
local python = require "spec.support.python"

-- A plugin that runs the code after its command: `c`, `show` and what follows are there.
local function tester(body) return { main = ([[
local p = parley.plugin()
local function show(v, err)
  if err then return err.code .. ": " .. err.message end
  if type(v) == "table" then return parley.json.encode(v) end
  return tostring(v)
end
%s
return p
]]):format(body) } end

local function with(plugin, manifest)
  plugin.manifest = manifest
  return plugin
end

describe("kv", function()
  local h
  setup(function()
    h = host.start { plugins = {
      keeper = with(tester [[
p.on.command("set", function(c, rest)
  local key, value, scope, ttl = rest:match "^(%S+) (%S+) ?(%S*) ?(%S*)$"
  local ok, err = c.kv:set(key, { v = value }, { scope = scope ~= "" and scope or nil, ttl = tonumber(ttl) })
  c:reply(show(ok, err) .. " " .. show(c.kv:get(key, { scope = scope ~= "" and scope or nil }).v))
end)
p.on.command("get", function(c, rest)
  local key, scope = rest:match "^(%S+) ?(%S*)$"
  local v, err = c.kv:get(key, { scope = scope ~= "" and scope or nil })
  c:reply(v and v.v or show(v, err))
end)
p.on.command("del", function(c, key) c.kv:delete(key) c:reply(show(c.kv:get(key))) end)
p.on.command("fail", function(c) c.kv:set("lost", 1) error "no" end)
p.on.command("limits", function(c)
  local out = {}
  local function try(...)
    local good, _, err = pcall(c.kv.set, c.kv, ...)
    out[#out + 1] = not good and "misuse" or err and err.code or "ok"
  end
  try("", 1) try(("k"):rep(257), 1) try("k", ("x"):rep(20000)) try("k", nil) try("k", 1, { scope = "world" })
  try("k", 1, { ttl = -1 }) try(5, 1) try("a\0b", 1) try("\255", 1)
  for i = 1, 51 do if not c.kv:set("k" .. i, i) then out[#out + 1] = "stopped at " .. i break end end
  c:reply(table.concat(out, " "))
end)]], {
        commands = {
          { name = "set" }, { name = "get" }, { name = "del" }, { name = "fail" }, { name = "limits" },
        }, permissions = { "kv" },
      }),
      other = with(tester [[p.on.command("peek", function(c) c:reply(show(c.kv:get "a")) end)]],
        { commands = { { name = "peek" } }, permissions = { "kv" } }),
    } }
  end)
  teardown(function() h:stop() end)
  local function say(text, dialog, who)
    local body = { user = { external_id = who or "alice" } }
    local r = h:say(dialog or "d", text, body).body
    return r.status == "answered" and r.text or r.status
  end

  it("keeps values, and shows an event its own writes", function()
    assert.equal("true one", say "/set a one")
    assert.equal("one", say("/get a", "another"))
    assert.equal("true two", say "/set a two")
    assert.equal("two", say "/get a")
    assert.equal("nil", say "/del a")
    assert.equal("nil", say "/get a")
  end)

  it("is one plugin's own", function()
    say "/set a mine"
    assert.equal("nil", say "/peek")
  end)

  it("has a scope for the dialog and for the user", function()
    say("/set s here dialog", "d1")
    say("/set s me user", "d1")
    assert.equal("here", say("/get s dialog", "d1"))
    assert.equal("nil", say("/get s dialog", "d2"))
    assert.equal("me", say("/get s user", "d2"))
    assert.equal("nil", say("/get s user", "d2", "bob"))
    assert.equal("nil", say("/get s", "d1"))
  end)

  it("forgets in time", function()
    say "/set t soon plugin 0.2"
    say "/set u later plugin 600"
    eventually("it is forgotten", function() return say "/get t" == "nil" end)
    assert.equal("later", say "/get u")
  end)

  it("writes nothing of an event that failed", function()
    assert.equal("fallback", say "/fail")
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM kv WHERE key = 'lost'").n)
  end)

  it("has limits", function()
    local text = say "/limits"
    assert.equal("invalid invalid too_large misuse invalid invalid misuse invalid invalid",
      text:match("^" .. ("%S+ "):rep(9)):sub(1, -2))
    assert.matches("stopped at 51$", text)
  end)
end)

describe("history", function()
  it("is what was said since the reset", function()
    local h = host.start { plugins = { memo = with(tester [[p.on.command("recall", function(c, n)
      local out = {}
      for _, m in ipairs(c:history(tonumber(n))) do out[#out + 1] = m.role .. " " .. m.text end
      c:reply(table.concat(out, "|"))
    end)]], { commands = { { name = "recall" } }, permissions = { "history" } }) } }
    h:say("d", "/echo one")
    h:say("d", "/echo two")
    assert.equal("user /echo one|plugin one|user /echo two|plugin two", h:say("d", "/recall").body.text)
    assert.equal("plugin two", h:say("d2", "/echo x") and h:say("d", "/recall 3").body.text:match "^plugin two")
    assert.equal(200, h:request("POST", "/api/v1/dialogs/d/reset", "{}").status)
    assert.equal("", h:say("d", "/recall").body.text)
    h:stop()
  end)
end)

describe("json", function()
  it("says of what is too much for the door that it is, and the event goes on", function()
    local h = host.start { plugins = { reader = with(tester [[
p.on.command("reader", function(c)
  local out = {}
  for i, text in ipairs {
    "[" .. ("0,"):rep(31000) .. "0]", "[" .. ("0,"):rep(40000) .. "0]", ("["):rep(31) .. ("]"):rep(31),
    ("["):rep(40) .. ("]"):rep(40), "[",
  } do
    local v, err = parley.json.decode(text)
    out[i] = v and #v or err.code
  end
  c:reply(table.concat(out, " "))
end)]], { commands = { { name = "reader" } } }) } }
    assert.equal("31001 too_large 1 too_deep invalid_json", h:say("d", "/reader").body.text)
    h:stop()
  end)
end)

describe("http", function()
  local server, h, port
  setup(function()
    server = python.start "spec/support/fake_http.py"
    port = server.port
    local function fetch(code, more)
      local manifest = { permissions = { "http:127.0.0.1:" .. port, "http:*.example.org" }, secrets = { "shop", "unset" } }
      for k, v in pairs(more or {}) do manifest[k] = v end
      return with(tester(code), manifest)
    end
    h = host.start {
      config = "return { secrets = { shop = 'hunter2', more = 'x' }, plugins = { fetch = { allow_private = true } } }",
      plugins = {
        fetch = fetch(([[
local base = "http://127.0.0.1:%d"
p.on.command("get", function(c, path)
  local r, err = c.http:get(base .. path)
  c:reply(r and r.status .. " " .. r.body or show(r, err))
end)
p.on.command("json", function(c, path)
  local r, err = c.http:get(base .. path)
  c:reply(r and ("%%d %%s %%d"):format(r.status, r.body and #r.body, #r.json.a) or show(r, err))
end)
p.on.command("url", function(c, url) c:reply(show(c.http:get(url))) end)
p.on.command("post", function(c)
  local r, err = c.http:post(base .. "/echo", { a = 1 }, { auth = c.secret.shop, headers = { ["X-A"] = c.secret.shop } })
  c:reply(r and r.json.body .. " " .. r.json.headers.authorization .. " " .. r.json.headers["x-a"]
    .. " " .. r.json.headers["content-type"] .. " " .. r.json.method or show(r, err))
end)
p.on.command("secrets", function(c)
  local _, a = c.http:get(base .. "/ok", { auth = c.secret.unset })
  local _, b = c.http:get(base .. "/ok", { auth = c.secret.more })
  local _, d = c.http:get(base .. "/ok", { headers = { Host = "evil" } })
  c:reply(a.message .. "|" .. b.message .. "|" .. d.message)
end)
p.on.command("many", function(c)
  for i = 1, 9 do
    local _, err = c.http:get(base .. "/ok")
    if err then return c:reply(i .. " " .. err.code) end
  end
end)]]):format(port), {
          commands = {
            { name = "get" }, { name = "json" }, { name = "url" }, { name = "post" }, { name = "secrets" }, { name = "many" },
          },
          limits = { timeout_ms = 1000 },
        }),
        walled = fetch(('p.on.command("walled", function(c) c:reply(show(c.http:get "http://127.0.0.1:%d/ok")) end)')
          :format(port), { commands = { { name = "walled" } } }),
      },
    }
  end)
  teardown(function()
    h:stop()
    server:stop()
  end)
  local function say(text) return h:say("d", text).body.text end

  it("reaches the hosts that the manifest names", function()
    assert.equal("200 fine", say "/get /ok")
    assert.equal("404 no such path", say "/get /none")
    assert.equal("302 there", say "/get /redirect")
    assert.matches("^timeout", say "/get /hang")
    assert.matches("^too_large", say "/get /big")
  end)

  it("gives long JSON once, decoded, and says what is too long", function()
    assert.equal("200 nil 500000", say "/json /json/500000")
    assert.equal("200 400009 400000", say "/json /json/400000")
    assert.matches("^too_large", say "/json /json/1000000")
  end)

  it("refuses every other, and what is no plain address", function()
    assert.equal("permission: http: 'example.com' needs the permission 'http:example.com': add it to \"permissions\" in "
      .. "manifest.json", say "/url https://example.com/x")
    for _, url in ipairs {
      "http://127.0.0.1:1/", "http://127.0.0.1/", "https://127.0.0.1:" .. port .. "0/", "http://example.org/",
      "http://notexample.org/", "http://localhost:" .. port .. "/", "http://2130706433:" .. port .. "/",
    } do
      assert.matches("^permission", say("/url " .. url), url)
    end
    for _, url in ipairs {
      "ftp://127.0.0.1/", "file:///etc/passwd", "http://a@127.0.0.1:" .. port .. "/", "http://127.0.0.1:" .. port .. "\\@b/",
      "http://[::1]/", "//127.0.0.1/", "http://127.0.0.1:" .. port .. "#@b/", "http://127.0.0.1%2f@b/",
    } do
      assert.matches("^invalid", say("/url " .. url), url)
    end
  end)

  it("sends secrets that the plugin never sees", function()
    assert.equal('{"a":1} Bearer hunter2 hunter2 application/json POST', say "/post")
    assert.equal("http: the operator has not set secrets.unset in conf/parley.lua|"
      .. "http: 'more' is not among \"secrets\" in manifest.json|http: the header 'Host' is the host's", say "/secrets")
  end)

  it("takes no secrets among the settings of a plugin, which the plugin would see", function()
    local home = host.temp_dir()
    host.write_plugin({ home = home }, "fetch", with(tester "", { secrets = { "shop" } }))
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/parley.lua", "return { plugins = { fetch = { secrets = { shop = 'x' } } } }"))
    local g, err = generation.build(assert(config.load(home, { getenv = function() end })))
    assert.is_nil(g)
    assert.matches("plugins%.fetch%.secrets: secrets stand at the top of the settings: secrets = { shop = %.%.%. }", err.message)
  end)

  it("counts, and goes to private addresses only for whom the operator allows it", function()
    assert.equal("9 quota", say "/many")
    local refused = say "/walled"
    assert.matches("^private_address", refused)
    assert.matches("plugins.walled.allow_private = true in conf/parley.lua", refused, 1, true)
  end)

  it("makes the message durable before a request that may have an effect", function()
    local n = h:count "inbox"
    say "/post"
    assert.equal(n + 1, h:count "inbox")
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
    assert.is_true(http.stats().succeeded > 0)
  end)
end)

describe("permissions of actions", function()
  it("are asked for like those of calls", function()
    local h = host.start { plugins = {
      shy = with(tester [[
p.on.command("later", function(c) c:schedule { ["in"] = 1, job = "x" } end)
p.on.command("emit", function(c) c:emit("x", {}) end)
p.on.job("x", function() end)
p.on.command("chat", function(c) c:reply(show(c.llm:chat "hi")) end)
p.on.command("chatty", function(c)
  for i = 1, 21 do
    local ok, err = c.log:info("line " .. i)
    if err then return c:reply(i .. " " .. err.code) end
  end
end)]], { commands = { { name = "later" }, { name = "emit" }, { name = "chat" }, { name = "chatty" } } }),
    } }
    for command, word in pairs { later = "jobs", emit = "events" } do
      assert.equal("fallback", h:say(command, "/" .. command).body.status)
      local row = h.core.db:first("SELECT details FROM audit_logs WHERE action = 'plugin_failed' AND details LIKE $1",
        "%permission '" .. word .. "'%")
      assert.truthy(row)
    end
    assert.matches("^permission: 'llm.chat' needs the permission 'llm:chat'", h:say("d", "/chat").body.text)
    assert.equal("21 quota", h:say("d", "/chatty").body.text)
    h:stop()
  end)
end)
