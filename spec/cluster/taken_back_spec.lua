-- A conversation whose version was replaced, and which then brings its worker down: that version is left alone, the plugin
-- goes on.

local database = require "spec.support.database"
local fs = require "host.fs"
local host = require "spec.support.host"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"

local WORKERS = database.is_postgres and 2 or 1

local function shop(version, crash)
  return { manifest = { version = version }, main = ([[
    local p = parley.plugin()
    p.on.command("shop", function(c) c:enter "order" end)
    p.conversation("order", function(c)
      local name = c:ask "name?"
      %s
      c:reply("%s: " .. name)
    end)
    return p]]):format(crash, version) }
end

describe("the version of a conversation that crashes its worker", function()
  local h
  after_each(function() h:close() end)

  local function everywhere(what)
    serve.eventually(what .. " in all workers", function()
      local status, n = h:status(), 0
      for _, w in ipairs(status and status.workers or {}) do
        for _, p in ipairs(w.status and w.status.plugins or {}) do
          if p.name == "shop" and p.version .. " " .. p.state == what then n = n + 1 end
        end
      end
      return n == WORKERS
    end)
  end

  it("is not run again, and the one that serves goes on", function()
    h = serve.start {
      argv = { programs.EXE, "lua", "spec/chaos/sabotage.lua" },
      env = { PARLEY_WORKERS = tostring(WORKERS), SPEC_SABOTAGE = "crashing_code", SPEC_CRASHER = "shop" },
      prepare = function(home)
        host.write_plugin({ home = home }, "shop", shop("1.0.0", "SEGV()"))
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/parley.lua", "return { plugin_ring = 'trusted' }"))
      end,
    }
    assert.equal("name?", h:say("d", "/shop").body.text)
    host.write_plugin(h, "shop", shop("2.0.0", ""))
    assert.equal(0, (h:run "plugin deploy shop"))
    everywhere "2.0.0 active"
    -- Nobody answers while the worker is replaced.
    local said = serve.eventually("an answer", function()
      local r = h:say("d", "Ann", { message_id = "m1" })
      return r and r.status == 200 and r.body
    end)
    assert.same({ "2.0.0: Ann", "answered" }, { said.text, said.status })
    everywhere "2.0.0 active"
    -- It was written down for all workers, and for the time after a restart.
    local db = assert(require("parley.store").open({
      database_url = database.url(h.home) or "sqlite:" .. h.home .. "/data/parley.db",
    }, { migrate = false }))
    serve.eventually("the mark", function()
      local row = db:first "SELECT version FROM plugin_bundles WHERE plugin = 'shop' AND taken_back_at IS NOT NULL"
      return row and row.version == "1.0.0"
    end)
    db:close()
  end)
end)
