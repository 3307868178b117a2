-- Three instances of the real program on one PostgreSQL, behind a balancer that gives each connection to the next one:
-- together they keep the promises of one.

local fs = require "host.fs"
local database = require "spec.support.database"
local fault_proxy = require "spec.support.fault_proxy"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local registration = require "spec.support.registration"
local rig = require "spec.chaos.rig"
local checker = require "spec.support.checker"
local task = require "host.task"

local HANG_S = 30 -- for a hang only

if not database.is_postgres then
  describe("three instances", function()
    it("need PostgreSQL: a database in a file has one worker", function() assert.is_nil(database.url "x") end)
  end)
  return
end

describe("three instances", function()
  local r, balancer
  setup(function()
    database.forget()
    r = rig.start {
      instances = 3, url = database.url(host.temp_dir()),
      conf = "allow_private_plugins = true,",
      env = { PARLEY_SECRET_KEY = ("one for all "):rep(3) },
    }
    balancer = fault_proxy.start(r.instances[1].port)
    balancer:to(r.instances[1].port, r.instances[2].port, r.instances[3].port)
  end)
  teardown(function()
    balancer:stop()
    r:close()
  end)

  local function ask(port, method, path, body, headers)
    headers = headers or { ["X-Bot-Token"] = r.token }
    headers["Content-Type"] = body and "application/json" or nil
    local answer, err = http.request {
      method = method, url = ("http://127.0.0.1:%d%s"):format(port, path), body = body and json.encode(body),
      headers = headers, allow_private = true, timeout = HANG_S,
    }
    if not answer then return nil, err end
    return { status = answer.status, text = answer.body, body = json.decode(answer.body) }
  end

  local function say(port, dialog, text, id)
    return ask(port, "POST", "/api/v1/dialogs/" .. dialog .. "/messages", {
      user = { external_id = "u-" .. dialog }, type = "text", text = text, message_id = id,
    })
  end

  local function token(kind, scopes)
    local code, out = r.instances[1].h:run(("token create -o json --kind %s --scopes %s"):format(kind, scopes),
      { env = { PARLEY_DATABASE_URL = r.url } })
    assert(code == 0, out)
    return json.decode(out)
  end

  local function told(what)
    return json.decode(assert(http.request { url = r.vendor_url .. what, allow_private = true, max_body = 1e8 }).body)
  end

  -- What the vendor's plugin knows of a dialog, by webhook-id.
  local function by_id(what, dialog)
    local times, n = {}, 0
    for _, item in ipairs(told(what)) do
      if item[2] == dialog then times[item[1]], n = (times[item[1]] or 0) + 1, n + 1 end
    end
    return times, n
  end

  it("keep each dialog in order, and do each job once, whoever gets a message", function()
    local load = r:load { targets = { balancer }, rate = 300 }
    programs.eventually("enough", function() return load.turns > 900 and load.repeated > 10 end, HANG_S)
    local problems = r:check()
    assert.same({}, checker.kinds(problems), checker.describe(problems))
  end)

  for command, effects in pairs { act = 1, tally = 0 } do
    it("give one answer to the same message that all of them get at once: " .. command, function()
      for n = 1, 20 do
        local dialog, waiting = ("same-%s-%d"):format(command, n), {}
        for i, instance in ipairs(r.instances) do
          waiting[i] = task.spawn(say, instance.port, dialog, ("/%s 1 ring"):format(command), "m")
        end
        local first
        for _, one in ipairs(waiting) do
          local ok, answer = one:join(HANG_S)
          assert(ok, answer)
          assert.equal(200, answer.status, answer.text)
          first = first or answer.text
          assert.equal(first, answer.text)
        end
        assert.equal("1 after none", json.decode(first).text)
        local _, acted = by_id("/acted", dialog)
        assert.equal(effects, acted)
        local state = programs.eventually("the job", function()
          local row = r:database():first("SELECT state FROM dialogs WHERE id = $1", dialog)
          local all = json.decode(row.state)[command]
          return all.rung and all
        end, HANG_S)
        assert.same({ count = 1, last = "1", rung = { "1" } }, state)
        assert.equal(2, r:database():first("SELECT count(*) AS n FROM messages WHERE dialog_id = $1", dialog).n)
      end
    end)
  end

  it("reload all at one word, and tell who has asked what became of it in each", function()
    local function reload()
      local code, out = r.instances[1].h:run("reload --all", { env = { PARLEY_DATABASE_URL = r.url } })
      return code, out
    end
    local function numbers()
      local out = {}
      for _, one in ipairs(r.instances) do
        for _, w in ipairs(one.h:status().workers) do out[#out + 1] = w.status.generations[1].number end
      end
      return out
    end
    local before = numbers()
    local code, out = reload()
    assert.equal(0, code, out)
    assert.equal(#before, select(2, out:gsub("%x+/%d+: generation %d+ serves", "")), out)
    for i, n in ipairs(numbers()) do assert.is_true(n > before[i]) end

    local second = r.instances[2].h
    assert(fs.mkdir(second.home .. "/plugins/late"))
    assert(fs.write(second.home .. "/plugins/late/manifest.json", "{"))
    code, out = reload()
    assert.equal(78, code)
    local id = fs.read(second.home .. "/data/instance-id"):match "%x+"
    assert.matches(id .. "/0: refused: .*plugins/late/manifest.json:1: ", out)
    assert.equal(#before - #second:status().workers, select(2, out:gsub("%x+/%d+: generation %d+ serves", "")), out)
    assert(fs.remove(second.home .. "/plugins/late/manifest.json"))

    local adm = token("adm", "admin").token
    local answer = ask(r.instances[3].port, "POST", "/api/v1/admin/reload", { everywhere = true }, { ["X-Admin-Token"] = adm })
    assert.equal(200, answer.status, answer.text)
    assert.equal(#before, #answer.body.workers)
  end)

  it("miss a silent plugin once", function()
    local reg = token("reg", "plugins:manage")
    local answer = ask(r.instances[2].port, "POST", registration.PATH, {
      manifest = registration.manifest { endpoint = r.vendor_url },
    }, { ["X-API-Key"] = reg.token })
    assert.equal(201, answer.status, answer.text)
    local function rows(action)
      return r:database():first("SELECT count(*) AS n FROM audit_logs WHERE source = 'dice' AND action = $1", action).n
    end
    -- As if an hour had passed.
    assert(r:database():commit { { "UPDATE plugins SET updated_at = updated_at - 3600000 WHERE id = 'dice'", expect = 1 } })
    programs.eventually("its silence", function() return rows "plugin_heartbeat_missed" > 0 end, HANG_S)
    task.sleep(1.5) -- for those who would be second
    assert.equal(1, rows "plugin_heartbeat_missed")
  end)

  it("refuse a token, all of them, that one was told to revoke", function()
    local adm, bot = token("adm", "admin"), token("bot", "dialogs:write")
    local function status(instance)
      return assert(ask(instance.port, "POST", "/api/v1/dialogs/token/messages", {
        user = { external_id = "u" }, type = "text", text = "/echo x",
      }, { ["X-Bot-Token"] = bot.token })).status
    end
    for _, instance in ipairs(r.instances) do assert.equal(200, status(instance)) end
    local answer = ask(r.instances[1].port, "DELETE", "/api/v1/admin/tokens/" .. bot.id, nil,
      { ["X-Admin-Token"] = adm.token })
    assert.is_true(answer.status < 300, answer.text)
    for i, instance in ipairs(r.instances) do
      programs.eventually("a refusal by " .. i, function() return status(instance) == 401 end, HANG_S)
    end
  end)

  it("leave a plugin alone, all of them, that one was told to disable", function()
    local adm = token("adm", "admin").token
    local function switch(how)
      local answer = ask(r.instances[3].port, "POST", "/api/v1/admin/plugins/tally/" .. how, { reason = "a spec" },
        { ["X-Admin-Token"] = adm })
      assert.equal(200, answer.status, answer.text)
    end
    local function answered(instance) return assert(say(instance.port, "disabled", "/tally 1")).body.status == "answered" end
    switch "disable"
    for i, instance in ipairs(r.instances) do
      programs.eventually("its absence in " .. i, function() return not answered(instance) end, HANG_S)
    end
    switch "enable"
    for i, instance in ipairs(r.instances) do
      programs.eventually("its return in " .. i, function() return answered(instance) end, HANG_S)
    end
  end)

  -- Until it is answered; nobody hears anything else than "later".
  local function insist(port, dialog, text, id)
    return programs.eventually("an answer in " .. dialog, function()
      local answer = say(port, dialog, text, id)
      if answer and answer.status ~= 200 then assert.equal(503, answer.status, answer.text) end
      return answer and answer.status == 200 and answer.body.text
    end, 2 * HANG_S)
  end

  local function begin_slowly(instance, dialog)
    local waiting = task.spawn(say, instance.port, dialog, "/act 1 slow", "m1")
    programs.eventually("the call", function() return select(2, by_id("/called", dialog)) == 1 end)
    return waiting
  end

  it("keep what they have done when one wakes up that stood still in the middle of a turn", function()
    local slept, other = r.instances[2], r.instances[1]
    local waiting = begin_slowly(slept, "slept")
    local family = programs.family(slept.h.pid)
    finally(function() programs.kill(family, "CONT") end)
    programs.kill(family, "STOP")
    assert.equal("2 after 1", insist(other.port, "slept", "/act 2", "m2"))
    programs.kill(family, "CONT")
    local ok, late = waiting:join(HANG_S)
    assert(ok, late)
    -- Its own turn is not stored: it answers with what is, or was taken for hung and ended.
    if late and late.status == 200 then assert.equal("1 after none", late.body.text) end
    assert.equal("3 after 2", insist(slept.port, "slept", "/act 3", "m3"))
    assert.equal("1 after none", insist(slept.port, "slept", "/act 1 slow", "m1"))
    local row = r:database():first "SELECT state FROM dialogs WHERE id = 'slept'"
    assert.same({ count = 3, last = "3" }, json.decode(row.state).act)
    assert.equal(6, r:database():first("SELECT count(*) AS n FROM messages WHERE dialog_id = 'slept'").n)
    assert.equal(3, select(2, by_id("/acted", "slept")))
  end)

  it("finish what one was at that is killed, under the same webhook-id", function()
    local dialogs, waiting = { "killed-1", "killed-2", "killed-3" }, {}
    for i, dialog in ipairs(dialogs) do
      waiting[i] = begin_slowly(r.instances[2], dialog)
    end
    programs.kill(programs.family(r.instances[2].h.pid), "KILL")
    for i, dialog in ipairs(dialogs) do
      assert.is_nil(select(2, waiting[i]:join(HANG_S))) -- nobody was told that it had been answered
      -- The next message waits for the one that was cut off.
      assert.equal("2 after 1", insist(balancer.port, dialog, "/act 2", "m2"))
      assert.equal("1 after none", insist(balancer.port, dialog, "/act 1 slow", "m1"))
      local times = by_id("/called", dialog)
      local acted, n = by_id("/acted", dialog)
      assert.equal(2, n)
      local twice = 0
      for id, called in pairs(times) do
        assert.equal(1, acted[id])
        if called > 1 then twice = twice + 1 end
      end
      assert.equal(1, twice)
      assert.equal(4, r:database():first("SELECT count(*) AS n FROM messages WHERE dialog_id = $1", dialog).n)
    end
  end)
end)
