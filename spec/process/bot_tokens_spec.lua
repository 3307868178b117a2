-- Tokens of bots on every path that takes one, then a search for them everywhere but where they belong.

local crypto = require "host.crypto"
local database = require "spec.support.database"
local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local sim = require "parley.sim.telegram"
local sqlite = require "host.sqlite"
local support = require "spec.support.host"

describe("the tokens of bots", function()
  local s, h, home, secrets, said
  local function token_of(id)
    local secret = "canary" .. crypto.hex(crypto.random(12))
    secrets[#secrets + 1] = secret
    return ("%d:%s"):format(id, secret)
  end
  local function parley(input, ...)
    local env = database.variables(home)
    env.PARLEY_TELEGRAM_API = s:url()
    local r = programs.run({ programs.EXE, ... }, { input = input, env = env })
    said[#said + 1] = (r.out or "") .. (r.err or "")
    return r
  end
  -- What everybody on the machine may read of a process.
  local function command_lines()
    local out = {}
    for _, pid in ipairs(assert(fs.list "/proc")) do
      if pid:find "^%d+$" then out[#out + 1] = fs.read("/proc/" .. pid .. "/cmdline", 65536) or "" end
    end
    return table.concat(out, "\n")
  end
  local function files_below(dir, out)
    for _, name in ipairs(fs.list(dir) or {}) do
      local path = dir .. "/" .. name
      if fs.list(path) then files_below(path, out) else out[#out + 1] = path end
    end
    return out
  end

  it("are in no argument, output, log, metric, answer or file", function()
    s, secrets, said, home = assert(sim.start { limits = false }), {}, {}, support.temp_dir()
    local main = s.world:add_bot { token = token_of(7000001), username = "main_bot" }
    local shop = s.world:add_bot { token = token_of(7000002), username = "shop_bot" }
    local gone = s.world:add_bot { token = token_of(7000003), username = "gone_bot" }
    local ann = s.world:add_user {}
    h = serve.start {
      home = home, prepare = function(dir)
        assert(fs.mkdir(dir .. "/conf"))
        assert(fs.write(dir .. "/conf/parley.lua", "return { log_level = 'debug', log_format = 'json' }"))
      end,
      env = { TELEGRAM_BOT_TOKEN = main.token, PARLEY_TELEGRAM_API = s:url() },
    }
    assert.equal(0, parley(shop.token, "bot", "add", "shop", "--home", home).code)
    assert.equal(0, parley(gone.token, "bot", "add", "gone", "--home", home).code)
    assert.equal(1, parley(token_of(7000009), "bot", "add", "nobody", "--home", home).code)
    assert.equal(64, parley("", "bot", "add", "wrong", token_of(7000010), "--home", home).code)
    assert.equal(64, parley("", "bot", "add", token_of(7000011), "--home", home).code)
    eventually("all poll", function() return main.poller and shop.poller and gone.poller end)
    local lines = command_lines()
    s.world.by_token[gone.token] = nil
    for _, kind in ipairs { "garbage", "reset", "truncated", "status" } do
      s:act("faults", { kind = kind, status = 500, method = "sendMessage", bot = "shop_bot" })
      s:act("send", { bot = "shop_bot", user = ann.id, text = "/echo " .. kind })
    end
    eventually("it has answered", function()
      return #s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages > 4
    end)
    for _, bot in ipairs { gone, shop } do
      bot.poller = (bot.poller or 0) + 1
      bot.taken:broadcast() -- polls end: one with 409, one comes back to a token that is unknown
    end
    local function shown(text)
      return parley("", "bot", "show", "gone", "--home", home).out:find(text, 1, true)
    end
    eventually("it is noted", function() return shown "does not know" or shown "Unauthorized" end)
    for _, command in ipairs { "list", "show shop", "doctor shop", "doctor gone", "pause shop", "resume shop" } do
      for _, form in ipairs { "table", "json" } do
        local words = { "bot" }
        for word in command:gmatch "%S+" do words[#words + 1] = word end
        for _, word in ipairs { "-o", form, "--home", home } do words[#words + 1] = word end
        parley("", unpack(words))
      end
    end
    said[#said + 1] = assert(h:request(h.ops, "GET", "/metrics")).text
    h:close()
    said[#said + 1] = h:file "out" .. h:file "err"
    if fs.exists(home .. "/data/parley.db") then
      local db = assert(sqlite.open { path = home .. "/data/parley.db" })
      assert.equal(3, db:first("SELECT count(*) AS n FROM bots WHERE token LIKE 'v1.%'").n)
      db:close()
    end
    local everything = table.concat(said, "\n")
    assert.truthy(everything:find("shop_bot", 1, true))
    for _, secret in ipairs(secrets) do
      assert.is_nil(everything:find(secret, 1, true))
      for _, path in ipairs(files_below(home, {})) do
        local text = fs.read(path, 64 * 1024 * 1024) or ""
        assert(not text:find(secret, 1, true), "a token is in " .. path)
      end
    end
    for i = 1, 3 do assert.is_nil(lines:find(secrets[i], 1, true)) end
    s:close()
  end)

  it("that stand in the settings of the host are no command's business", function()
    s, secrets, said, home = assert(sim.start { limits = false }), {}, {}, support.temp_dir()
    local main = s.world:add_bot { token = token_of(7000001), username = "main_bot" }
    h = serve.start { home = home, env = { TELEGRAM_BOT_TOKEN = main.token, PARLEY_TELEGRAM_API = s:url() } }
    eventually("it polls", function() return main.poller end)
    local r = parley(nil, "bot", "show", "main", "--home=" .. home)
    assert.equal(0, r.code, r.err)
    assert.matches("main_bot", r.out)
    assert.is_nil((r.out .. r.err):find(main.token, 1, true))
    h:close()
    s:close()
  end)

  it("that stand in the settings add a bot when the host starts, which is said to who asks before", function()
    s, secrets, said, home = assert(sim.start { limits = false }), {}, {}, support.temp_dir()
    for _, order in ipairs { "doctor", "show" } do
      local r = parley(nil, "bot", order, "main", "--home=" .. home)
      assert.equal(1, r.code)
      assert.matches("no bot 'main': a host that is started with TELEGRAM_BOT_TOKEN adds it", r.err)
    end
    s:close()
  end)
end)
