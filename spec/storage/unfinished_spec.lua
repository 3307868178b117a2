-- The database goes away between a plugin's effect and the turn's commit: the message is finished by itself when
-- it is back, under the same id, before any other of its dialog.

local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local webhook = require "parley.plugins.webhook"

describe("a database that goes away in the middle of a turn", function()
  local server, url, h
  setup(function()
    server = python.start "spec/support/fake_plugin.py"
    url = ("http://127.0.0.1:%d"):format(server.port)
  end)
  teardown(function() server:stop() end)
  before_each(function()
    h = host.start {
      config = ("return { plugins = { bad = { signing_secret = %q, allow_private = true } } }"):format(
        webhook.new_secret()),
      plugins = { bad = { manifest = { transport = "rest", endpoint = url } } },
    }
  end)
  after_each(function() h:stop() end)

  local function calls_of(dialog)
    local log = json.decode(assert(http.request { url = url .. "/log", allow_private = true, max_body = 1e8 }).body)
    local out = {}
    for _, call in ipairs(log.calls) do
      if call.request.dialog.id == dialog then out[#out + 1] = call end
    end
    return out
  end

  -- Room for the row of the inbox, and none for what the plugin keeps.
  local function fill(pages)
    local count = h.core.db:first("PRAGMA page_count").page_count
    assert(h.core.db:script("PRAGMA max_page_count = " .. count + pages))
  end
  local function make_room() assert(h.core.db:script "PRAGMA max_page_count = 1000000") end

  it("is waited for by the message, and by nobody else", function()
    assert.equal(200, h:say("d", "/bad ok first", { message_id = "m1" }).status)
    fill(5)
    local r = h:say("d", "/bad keep k 60000", { message_id = "m2" })
    assert.equal(503, r.status)
    assert.equal("disk_full", r.body.code)
    assert.truthy(r.headers["retry-after"])
    -- The next one would go before it; another dialog goes on.
    r = h:say("d", "/bad ok third", { message_id = "m3" })
    assert.equal(503, r.status)
    assert.equal("unavailable", r.body.code)
    assert.equal(200, h:say("e", "/echo yes").status)
    make_room()
    programs.eventually("the end of the turn", function() return not h.core.lanes:busy() end)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
    r = h:say("d", "/bad keep k 60000", { message_id = "m2" })
    assert.equal(200, r.status)
    assert.equal("true", r.headers["idempotency-replayed"])
    local calls = calls_of "d"
    assert.is_true(#calls > 2)
    for i = 3, #calls do assert.equal(calls[2].headers["webhook-id"], calls[i].headers["webhook-id"]) end
    assert.equal(200, h:say("d", "/bad ok third", { message_id = "m3" }).status)
    assert.equal(6, h.core.db:first("SELECT count(*) AS n FROM messages WHERE dialog_id = 'd'").n)
  end)

  it("is no failure of the plugin that could not be asked", function()
    fill(0)
    local refused = programs.eventually("a full disk", function()
      local r = h:say("f", "/bad ok " .. ("x"):rep(9000))
      return r.status ~= 200 and r
    end)
    assert.equal(503, refused.status)
    make_room()
    programs.eventually("the end of the turn", function() return not h.core.lanes:busy() end)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM plugin_calls WHERE status = 'failed'").n)
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
  end)
end)
