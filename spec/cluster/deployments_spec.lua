-- Deployments in the real program, by the command line: workers that follow, that crash, other instances.

local database = require "spec.support.database"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local programs = require "spec.support.process"
local releases = require "spec.support.release"
local serve = require "spec.support.serve"
local task = require "host.task"

local WORKERS = database.is_postgres and 2 or 1

local function shop(version, body) return { manifest = { version = version }, main = releases.source(body) } end

-- A version in a folder of its own, as CI has it.
local function release(version, body)
  local dir = host.temp_dir()
  host.write_plugin({ home = dir }, "shop", shop(version, body))
  return dir .. "/plugins/shop"
end

describe("parley plugin deploy", function()
  local hosts

  local function start(o)
    local h = serve.start(o)
    hosts[#hosts + 1] = h
    return h
  end

  local function start_shop(o)
    o = o or {}
    o.env = { PARLEY_WORKERS = tostring(WORKERS), SPEC_SABOTAGE = "crashing_code", SPEC_CRASHER = "shop" }
    o.prepare = function(home) host.write_plugin({ home = home }, "shop", shop("1.0.0", "c:reply 'one'")) end
    return start(o)
  end

  before_each(function() hosts = {} end)
  after_each(function() for _, h in ipairs(hosts) do h:close() end end)

  local function run(h, command, code)
    local got, out = h:run("plugin " .. command)
    assert.equal(code or 0, got, out)
    return out
  end

  local function list(h) return json.decode(run(h, "deployments shop -o json")) end

  local function version(h, dialog)
    local r = h:say(dialog, "/shop")
    local p = r and r.body.plugin
    return p and p.name == "shop" and p.version or p and p.name
  end

  -- What each worker has, in the order of the workers.
  local function everywhere(h, field)
    local status, out = h:status(), {}
    for i, w in ipairs(status and status.workers or {}) do
      out[i] = "down"
      for _, p in ipairs(w.status and w.status.plugins or {}) do
        if p.name == "shop" then out[i] = field(p) end
      end
    end
    return table.concat(out, " ")
  end

  local function all(text) return (text .. " "):rep(WORKERS):sub(1, -2) end

  -- Deploys a canary, and waits until every worker has it.
  local function try(h, dir, more)
    local out = run(h, ("deploy %s --canary 50%% %s"):format(dir, more or ""))
    serve.eventually("all workers", function()
      return everywhere(h, function(p) return p.canary and "on trial" or "-" end) == all "on trial"
    end)
    return out
  end

  it("gives a version to all dialogs, in every worker", function()
    local h = start_shop()
    local out = run(h, "deploy " .. release("2.0.0", "c:reply 'two'") .. " --reason release")
    assert.matches("^shop 2%.0%.0 serves, bundle %x+; its folder is not followed until", out)
    serve.eventually("all workers", function()
      return everywhere(h, function(p) return p.version .. "/" .. p.origin end) == all "2.0.0/bundle"
    end)
    for i = 1, 8 do assert.equal("2.0.0", version(h, "d" .. i)) end
    assert.matches("this is what serves already: version 2.0.0", run(h, "deploy " .. release("2.0.0", "c:reply 'two'"), 1))
    assert.same({ "promoted", "release", "cli" }, { list(h)[1].state, list(h)[1].reason, list(h)[1].created_by })
  end)

  it("is known to parley check when it lies in no folder, with its settings", function()
    local h = start_shop()
    local dir = host.temp_dir()
    host.write_plugin({ home = dir }, "guest", { main = releases.source "c:reply 'guest'" })
    run(h, "deploy " .. dir .. "/plugins/guest")
    fs.remove(dir .. "/plugins/guest/main.lua")
    assert(fs.mkdir(h.home .. "/conf"))
    assert(fs.write(h.home .. "/conf/parley.lua", "return { plugins = { guest = { allow_private = true } } }"))
    local code, out = h:run "check"
    assert.equal(0, code, out)
    assert.matches("isolated: guest", out)
    assert.equal(0, (h:run "reload"))
  end)

  it("gives a version that comes as one file", function()
    local h = start_shop()
    local dir = host.temp_dir()
    local file, again = dir .. "/shop.json", dir .. "/again.json"
    run(h, "pack " .. release("2.0.0", "c:reply 'two'") .. " --to " .. file)
    run(h, "pack " .. release("2.0.0", "c:reply 'two'") .. " --to " .. again)
    assert.equal(fs.read(file), fs.read(again))
    assert.matches("^shop 2%.0%.0 serves, bundle %x+", run(h, "deploy " .. file))
    serve.eventually("all workers", function() return everywhere(h, function(p) return p.version end) == all "2.0.0" end)
    assert.equal("2.0.0", version(h, "d1"))
    local text = fs.read(file)
    for problem, bad in pairs {
      ["its files have the hash %x+, and it says %x+: it was changed"] = text:gsub("two", "six"),
      ["is no file of a plugin"] = text:gsub("main%.lua", "main.exe"),
      ["it is no plugin that parley plugin pack has made"] = "{}",
      ["name: the name of a plugin expected"] = text:gsub('"name":"shop"', '"name":"../shop"'),
      ["unexpected end of the document"] = text:sub(1, 100),
    } do
      assert(fs.write(file, bad))
      assert.matches(problem, run(h, "deploy " .. file, 78))
    end
    assert.equal("2.0.0", version(h, "d1"))
  end)

  it("says where a version is broken", function()
    local h = start_shop()
    local dir = release("2.0.0", "c:reply('two'")
    assert.matches("^parley: " .. dir:gsub("%p", "%%%0") .. "/main.lua:2: ", (run(h, "deploy " .. dir, 78)))
    assert.matches("the longest window, 60 s, is shorter than the window, 600 s",
      run(h, "deploy " .. release("2.0.0", "c:reply 'two'") .. " --canary 5% --max-window 1m", 64))
    assert.equal("1.0.0", version(h, "d1"))
    assert.same({}, list(h))
  end)

  it("takes the operator's own folder for what it is", function()
    local h = start_shop()
    host.write_plugin(h, "shop", shop("1.1.0", "c:reply 'one and a bit'"))
    run(h, "deploy shop")
    serve.eventually("all workers", function()
      return everywhere(h, function(p) return p.version .. "/" .. p.origin end) == all "1.1.0/home"
    end)
    assert.equal("1.1.0", version(h, "d1"))
  end)

  it("gives a version to a share of the dialogs, until it is promoted or aborted by hand", function()
    local h = start_shop()
    local inside, outside = releases.dialogs(1, 50, true, 1)[1], releases.dialogs(1, 50, false, 1)[1]
    local dir = release("2.0.0", "c:reply 'two'")
    assert.matches("^shop 2%.0%.0 serves 50 %% of the dialogs beside 1%.0%.0, bundle %x+; deployment 1, watched for 10m",
      try(h, dir))
    for _ = 1, 6 do
      assert.equal("2.0.0", version(h, inside))
      assert.equal("1.0.0", version(h, outside))
    end
    serve.eventually("the calls of all workers", function()
      local c = list(h)[1].counts
      return c.canary.calls == 6 and c.stable.calls == 6
    end)
    local _, status = h:run "status"
    assert.matches("shop +1%.0%.0 [^\n]*2%.0%.0 has 50 %% of the dialogs", status)
    assert.matches("shop +1 +2%.0%.0 +50 %% +6 %(0%.0 %%%) +6 %(0%.0 %%%)", run(h, "deployments"))
    assert.matches("deployment 1 is cancelled", run(h, "abort shop"))
    assert.matches("no new version of 'shop' is on trial", run(h, "promote shop", 1))
    serve.eventually("its end", function()
      return everywhere(h, function(p) return p.canary and "on trial" or p.version end) == all "1.0.0"
    end)
    try(h, dir)
    assert.matches("deployment 2 is promoted", run(h, "promote shop --reason good"))
    serve.eventually("it for all", function() return everywhere(h, function(p) return p.version end) == all "2.0.0" end)
    assert.equal("1.0.0", json.decode(run(h, "rollback shop -o json")).version)
  end)

  it("rolls a version back that fails, whichever workers its calls came to", function()
    local h = start_shop()
    try(h, release("2.0.0", "error 'no stock'"))
    for _, dialog in ipairs(releases.dialogs(1, 50, false, 40)) do h:say(dialog, "/shop") end
    for _, dialog in ipairs(releases.dialogs(1, 50, true, 8)) do h:say(dialog, "/shop") end
    serve.eventually("a decision", function() return list(h)[1].state == "rolled_back" end)
    assert.matches("of %d+ calls failed %(100.0 %%%)", list(h)[1].reason)
    serve.eventually("the stable version everywhere", function()
      return everywhere(h, function(p) return p.canary and "on trial" or p.version end) == all "1.0.0"
    end)
    assert.equal("1.0.0", version(h, releases.dialogs(1, 50, true, 1)[1]))
  end)

  it("rolls a version back that crashes a worker, and the plugin goes on", function()
    local h = start_shop { argv = { programs.EXE, "lua", "spec/chaos/sabotage.lua" } }
    -- The operator's own folder: what comes from elsewhere can crash no worker.
    host.write_plugin(h, "shop", shop("2.0.0", "SEGV()"))
    try(h, "shop")
    local inside = releases.dialogs(1, 50, true, 1)[1]
    h:say(inside, "/shop")
    -- Nobody answers while the worker is replaced.
    local d = serve.eventually("a decision", function()
      local code, out = h:run "plugin deployments shop -o json"
      local last = code == 0 and json.decode(out)[1]
      return last and last.state ~= "running" and last
    end, 30)
    assert.same({ "rolled_back", "it has crashed the host (SIGSEGV)" }, { d.state, d.reason })
    -- A worker that has not heard of the decision yet would try the version once more.
    serve.eventually("the plugin", function()
      local function field(p) return p.canary and "on trial" or p.version .. " " .. p.state end
      return everywhere(h, field) == all "1.0.0 active"
    end)
    assert.equal("1.0.0", version(h, inside))
  end)

  it("rolls a version back that hangs a worker, and the plugin goes on", function()
    local h = start_shop()
    host.write_plugin(h, "shop", {
      manifest = { version = "2.0.0", limits = { cpu_ms = 5000, timeout_ms = 20000 } },
      main = releases.source "while true do end",
    })
    try(h, "shop")
    local inside = releases.dialogs(1, 50, true, 1)[1]
    local asking = task.spawn(function() return h:say(inside, "/shop") end)
    local pid = serve.eventually("the loop", function()
      for _, w in ipairs((h:status() or {}).workers or {}) do
        if type(w.running) == "string" and w.running:find "^shop" then return w.pid end
      end
    end)
    -- A worker that is stopped looks the same from outside as one that is stuck inside C.
    programs.kill(pid, "STOP")
    local d = serve.eventually("a decision", function()
      local code, out = h:run "plugin deployments shop -o json"
      local last = code == 0 and json.decode(out)[1]
      return last and last.state ~= "running" and last
    end)
    asking:join()
    assert.same({ "rolled_back", "it has hung the host" }, { d.state, d.reason })
    serve.eventually("the plugin", function()
      local function field(p) return p.canary and "on trial" or p.version .. " " .. p.state end
      return everywhere(h, field) == all "1.0.0 active"
    end)
    assert.equal("1.0.0", version(h, inside))
  end)

  it("goes on when the host is killed in the middle of a trial", function()
    local h = start_shop()
    try(h, release("2.0.0", "error 'no stock'"), "--min-calls 1")
    for _, dialog in ipairs(releases.dialogs(1, 50, false, 40)) do h:say(dialog, "/shop") end
    serve.eventually("the calls", function() return list(h)[1].counts.stable.calls == 40 end)
    h:close()
    h = start { home = h.home, env = { PARLEY_WORKERS = tostring(WORKERS) } }
    assert.same({ "running", 40 }, { list(h)[1].state, list(h)[1].counts.stable.calls })
    for _, dialog in ipairs(releases.dialogs(1, 50, true, 4)) do h:say(dialog, "/shop") end
    serve.eventually("a decision", function() return list(h)[1].state == "rolled_back" end)
  end)

  if not database.is_postgres then return end

  it("reaches instances that have neither the folder nor the bundle", function()
    local one = start_shop()
    local two = start {
      env = { PARLEY_DATABASE_URL = database.url(one.home), PARLEY_SECRET_KEY = fs.read(one.home .. "/data/secret-key") },
      prepare = function(home) host.write_plugin({ home = home }, "shop", shop("0.9.0", "c:reply 'long ago'")) end,
    }
    two.token = one.token
    assert.equal("0.9.0", version(two, "before"))
    try(one, release("2.0.0", "c:reply 'two'"), "--min-calls 5 --window 5s --max-window 5m")
    -- The version beside the canary is the same everywhere, too.
    local inside, outside = releases.dialogs(1, 50, true, 1)[1], releases.dialogs(1, 50, false, 1)[1]
    serve.eventually("the other instance", function()
      return version(two, inside) == "2.0.0" and version(two, outside) == "1.0.0"
    end)
    for _ = 1, 5 do
      for _, h in ipairs { one, two } do
        h:say(inside, "/shop")
        h:say(outside, "/shop")
      end
    end
    serve.eventually("its promotion", function()
      return version(two, outside) == "2.0.0" and version(one, outside) == "2.0.0"
    end, 30)
    local d = list(one)[1]
    assert.same({ "promoted", "no worse than the stable version" }, { d.state, d.reason })
    assert.is_true(d.counts.canary.calls >= 10 and d.counts.stable.calls >= 10)
  end)
end)
