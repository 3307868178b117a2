-- A reload asked for over HTTP goes through the supervisor, to every worker, the one that was asked too.

local fs = require "host.fs"
local http = require "host.http_client"
local json = require "host.json"
local serve = require "spec.support.serve"

describe("a reload over HTTP", function()
  local s, token
  setup(function()
    s = serve.start()
    local code, out = s:run "token create --kind adm --scopes admin"
    assert(code == 0, out)
    token = out:gsub("%s", "")
  end)
  teardown(function() s:close() end)

  local function reload()
    local r = assert(http.request {
      method = "POST", url = ("http://127.0.0.1:%d/api/v1/admin/reload"):format(s.port), allow_private = true,
      headers = { ["X-Admin-Token"] = token }, timeout = 60,
    })
    return r.status, json.decode(r.body)
  end

  it("takes up what is new in the home", function()
    local before = s:status().workers[1].status.generations[1].number
    assert(fs.mkdir(s.home .. "/plugins/late"))
    assert(fs.write(s.home .. "/plugins/late/manifest.json", json.encode {
      schema = "v1alpha", name = "late", version = "1.0.0", api = "1", transport = "lua",
      commands = { { name = "late", description = "x" } },
    }))
    assert(fs.write(s.home .. "/plugins/late/main.lua",
      "local p = parley.plugin()\np.on.command('late', function(c) c:reply 'here' end)\nreturn p"))
    local status, body = reload()
    assert.equal(200, status, json.encode(body))
    assert.equal(before + 1, body.generation)
    assert.same({}, body.needs_restart)
    assert.equal("here", s:say("d", "/late").body.text)
    assert.equal(before + 1, s:status().workers[1].status.generations[1].number)
  end)

  it("says file and line of what is wrong, and goes on", function()
    assert(fs.write(s.home .. "/conf/rules.lua", "return {\n  oops\n"))
    local status, body = reload()
    assert.same({ 409, "reload_refused" }, { status, body.code })
    assert.matches("rules%.lua:%d", body.detail)
    assert.equal(1, #body.errors)
    assert.same({ s.home .. "/conf/rules.lua", 3 }, { body.errors[1].file, body.errors[1].line })
    assert.matches("expected", body.errors[1].message)
    assert.equal("here", s:say("d", "/late").body.text)
  end)
end)
