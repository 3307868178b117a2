-- kill -9 while a REST plugin is at work: the turn goes on by itself, and the plugin can tell that it is the
-- same call.

local crypto = require "host.crypto"
local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local serve = require "spec.support.serve"
local sqlite = require "host.sqlite"
local task = require "host.task"
local webhook = require "parley.plugins.webhook"

describe("kill -9 while a REST plugin is called", function()
  local server, url, h
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    url = ("http://127.0.0.1:%d"):format(server.port)
    h = serve.start { prepare = function(home)
      assert(fs.mkdir(home .. "/conf"))
      assert(fs.write(home .. "/conf/parley.lua",
        ("return { plugins = { bad = { signing_secret = %q, allow_private = true } } }"):format(webhook.new_secret())))
      host.write_plugin({ home = home }, "bad", { manifest = { transport = "rest", endpoint = url } })
    end }
  end)
  teardown(function()
    h:close()
    server:stop()
  end)

  local function calls_of(dialog)
    local log = json.decode(assert(http.request { url = url .. "/log", allow_private = true, max_body = 1e7 }).body)
    local out = {}
    for _, call in ipairs(log.calls) do
      if call.request.dialog.id == dialog then out[#out + 1] = call end
    end
    return out
  end

  local KILLS = {
    worker = function()
      local pid = h:status().workers[1].pid
      programs.kill(pid, "KILL")
    end,
    host = function()
      h:close()
      h = serve.start { home = h.home }
    end,
  }

  for victim, kill in pairs(KILLS) do
    it("of the " .. victim .. ", calls it again under the same id", function()
      local dialog = victim .. crypto.hex(crypto.random(4))
      local first = task.spawn(function() return h:say(dialog, "/bad slow 1", { message_id = "m" }) end)
      serve.eventually("the call", function() return #calls_of(dialog) == 1 end)
      kill()
      local _, cut = first:join(60)
      assert.is_nil(cut) -- nobody was told that it had been answered
      serve.eventually("the call after the start", function() return #calls_of(dialog) == 2 end)
      local r = serve.eventually("the answer", function() return (h:say(dialog, "/bad slow 1", { message_id = "m" })) end)
      assert.equal("slow and sure", r.body.text)

      local calls = calls_of(dialog)
      assert.equal(2, #calls)
      assert.equal(calls[1].headers["webhook-id"], calls[2].headers["webhook-id"])
      assert.equal(calls[1].request.invocation_id, calls[2].request.invocation_id)
      local db = assert(sqlite.open { path = h.home .. "/data/parley.db" })
      assert.same({ { id = calls[1].request.invocation_id, status = "ok" } },
        db:query("SELECT id, status FROM plugin_calls WHERE dialog_id = $1", dialog))
      assert.equal(2, db:first("SELECT count(*) AS n FROM messages WHERE dialog_id = $1", dialog).n)
      assert.equal(0, db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
      db:close()
    end)
  end
end)
