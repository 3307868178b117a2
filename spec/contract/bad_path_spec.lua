-- What stands in a path is any bytes: no route is surprised by them, and no database either.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local token = require "parley.auth.token"

local BODIES = { {}, { user = { external_id = "alice" }, type = "text", text = "hello" } }

-- Bytes as they stand in a path: not UTF-8, half a character, a zero byte, a router's own names, a great deal.
local VALUES = {
  "%ff", "%d0", "%00", "a%00b", "{}", "methods", "%7b%7d", "..", "%2e%2e", "%2f", "%", "%zz", "%25", "'", "%22", "-",
  "0", "-1", "1e308", ("x"):rep(300), ("%d0%b6"):rep(100), ("%ff"):rep(60), "%0d%0a", "*", "%ed%a0%80", "%c0%80",
}

describe("a path", function()
  local h, clients

  setup(function()
    h = host.start()
    eventually("the bots", function() return h.core.telegram.fleet.synced end)
    clients = {}
    for kind in pairs(token.KINDS) do clients[kind] = h:client(kind, token.SCOPES) end
  end)
  teardown(function() h:stop() end)

  it("may hold any bytes where an id is expected", function()
    local tried = 0
    for _, route in ipairs(h.core.router.routes) do
      for _, value in ipairs(#route.parameters > 0 and VALUES or {}) do
        local path = route.path:gsub("{[%w_]+}", (value:gsub("%%", "%%%%")))
        local bodiless = route.method == "GET" or route.method == "DELETE"
        for _, body in ipairs(bodiless and { "" } or BODIES) do
          local r = clients[route.auth or "bot"](route.method, path, body)
          local where = ("%s %s: %s %s"):format(route.method, path, tostring(r.status), r.text)
          assert(r.status >= 200 and r.status < 500, where)
          assert(type(r.body) == "table", where)
          if r.status >= 400 then assert(type(r.body.code) == "string", where) end
        end
        tried = tried + 1
      end
    end
    assert.is_true(tried > 300)
  end)
end)
