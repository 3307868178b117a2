-- The examples of REST plugins register themselves: with a registry key alone they serve, go on after a restart,
-- and ask for other credentials when theirs are lost or revoked.

local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"

local EXAMPLES = {
  { name = "dice", script = "examples/rest-python/plugin.py", says = "/roll 2d6", answer = "^You rolled" },
  { name = "tea", script = "examples/rest-node/plugin.mjs", says = "/tea 3m", answer = "^Tea number" },
}

for _, example in ipairs(EXAMPLES) do
  describe(example.script, function()
    local h, admin, file, server
    before_each(function()
      h = host.start { config = "return { allow_private_plugins = true }" }
      admin = h:client("adm", { "admin" })
      file = h.home .. "/credentials.json"
    end)
    after_each(function()
      if server then server:stop() end
      h:stop()
    end)

    -- On another port each time: its manifest has another endpoint.
    local function start()
      if server then server:stop() end
      server = python.start(example.script .. " 0", {
        PARLEY_SIGNING_SECRET = false, PARLEY_URL = "http://127.0.0.1:" .. h.port,
        PARLEY_REGISTRY_KEY = h:make_token({ "plugins:manage" }, "reg"), PARLEY_CREDENTIALS = file,
      })
    end

    -- The latest heartbeat is of the process that runs now.
    local function heartbeats()
      return h.core.db:first("SELECT COUNT(*) AS n FROM plugin_events WHERE event_type = 'plugin_heartbeat'").n
    end
    local function wait_for_heartbeat(after)
      programs.eventually("a heartbeat", function() return heartbeats() > after end)
    end

    local function given() return json.decode(fs.read(file)) end
    local function check_answer() assert.matches(example.answer, h:say("d", example.says).body.text or "") end

    it("registers, keeps what it was given, and serves", function()
      start()
      wait_for_heartbeat(0)
      check_answer()
      local row = h.core.db:first("SELECT * FROM plugins WHERE id = $1", example.name)
      assert.equal("active", row.status)
      assert.equal("http://127.0.0.1:" .. server.port, json.decode(row.manifest).endpoint)
      assert.equal("600\n", programs.run({ "stat", "-c", "%a", file }).out)
      local before = given()
      start()
      wait_for_heartbeat(1)
      assert.same({ before.token, before.signing_secret }, { given().token, given().signing_secret })
      check_answer()
    end)

    it("asks for others when they are lost", function()
      start()
      wait_for_heartbeat(0)
      local before = given()
      assert(fs.remove(file))
      start()
      wait_for_heartbeat(1)
      assert.not_equal(before.token, given().token)
      assert.not_equal(before.signing_secret, given().signing_secret)
      check_answer()
    end)

    it("asks for others when its token was revoked", function()
      start()
      wait_for_heartbeat(0)
      local before = given()
      local row = h.core.db:first("SELECT token_id FROM plugins WHERE id = $1", example.name)
      assert.equal(200, admin("DELETE", "/api/v1/admin/tokens/" .. row.token_id).status)
      start()
      wait_for_heartbeat(1)
      assert.not_equal(before.token, given().token)
      check_answer()
    end)
  end)

  it(example.script .. " asks Parley to come again until it has registered", function()
    local server = python.start(example.script .. " 0", {
      PARLEY_SIGNING_SECRET = false, PARLEY_URL = "http://127.0.0.1:1", PARLEY_REGISTRY_KEY = "prl_reg_x",
      PARLEY_CREDENTIALS = host.temp_dir() .. "/credentials.json",
    })
    local url = "http://127.0.0.1:" .. server.port
    local r = assert(http.request { method = "POST", url = url .. "/invoke", body = "{}", allow_private = true })
    assert.same({ 503, "1" }, { r.status, r.headers["retry-after"] })
    r = assert(http.request { url = url .. "/manifest", allow_private = true })
    assert.equal(url, json.decode(r.body).endpoint)
    server:stop()
  end)
end
