-- A conversation of ten questions whose host is killed at every step, in the middle of each answer and between them:
-- it goes on where it was.

local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local sqlite = require "host.sqlite"
local task = require "host.task"

local STEPS = 10

local MAIN = [[
local p = parley.plugin()
p.on.command("form", function(c) c:enter "form" end)
p.conversation("form", function(c)
  local answers = {}
  for i = 1, 10 do
    answers[i] = c:ask("question " .. i)
    c:emit("answered", { n = i })
    c.kv:set("last", i)
  end
  c:reply(table.concat(answers, " "))
end)
return p
]]

describe("a conversation of ten questions", function()
  local h
  local function start(home)
    h = serve.start { home = home, prepare = not home and function(dir)
      local at = dir .. "/plugins/form"
      assert(fs.mkdir(at))
      assert(fs.write(at .. "/main.lua", MAIN))
      assert(fs.write(at .. "/manifest.json", json.encode {
        schema = "v1alpha", name = "form", version = "1.0.0", api = "1", transport = "lua",
        commands = json.array { { name = "form", description = "f" } }, permissions = json.array { "events", "kv" },
      }))
    end or nil }
  end
  after_each(function() h:close() end)

  -- Says it until that is acknowledged, as a client does; once while the worker or the whole host is killed.
  local function say(text, id, how)
    local killed = false
    return serve.eventually(id, function()
      local asking = task.spawn(function() return h:say("d", text, { message_id = id }) end)
      if not killed then
        killed = true
        task.sleep(math.random() * 0.01) -- at any point of its turn
        if how == "worker" then
          programs.kill(programs.children(h.process:pid()), "KILL")
        else
          local home = h.home
          programs.kill(programs.family(h.process:pid()), "KILL")
          h:close()
          local token = h.token
          start(home)
          h.token = token
        end
      end
      local _, r = asking:join()
      return r and r.status == 200 and r
    end)
  end

  for _, how in ipairs { "worker", "host" } do
    it("goes on where it was when the " .. how .. " is killed at every step", function()
      start()
      local r = say("/form", "m0", how)
      for i = 1, STEPS do
        assert.equal("question " .. i, r.body.text)
        r = say("a" .. i, "m" .. i, how)
      end
      assert.equal("a1 a2 a3 a4 a5 a6 a7 a8 a9 a10", r.body.text)
      local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
      local events = db:first "SELECT count(*) AS n FROM plugin_events WHERE event_type = 'answered'"
      local messages = db:first "SELECT count(*) AS n FROM messages WHERE dialog_id = 'd'"
      db:close()
      assert.equal(STEPS, events.n)
      assert.equal(2 * (STEPS + 1), messages.n) -- each message and its answer, once
    end)
  end
end)
