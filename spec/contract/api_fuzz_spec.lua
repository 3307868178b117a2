-- The requests of `tools/fuzz api`, a few hundred cases that are always the same. PARLEY_FUZZ_CASES and
-- PARLEY_FUZZ_SEED ask for more, and for others.

local rig = require "fuzz.api.rig"

local CASES = tonumber(os.getenv "PARLEY_FUZZ_CASES") or 250
local SEED = tonumber(os.getenv "PARLEY_FUZZ_SEED") or 1

describe("random requests to the API", function()
  local r
  setup(function() r = rig.new { seed = SEED } end)
  teardown(function() r:close() end)

  it("are answered as the contract says, and never with a failure of the host", function()
    r:round(1, CASES)
    r:check_leaks()
    for _, status in ipairs { 200, 201, 400, 401, 403, 404, 405, 409, 415 } do
      assert.is_true((r.counts[status] or 0) > 0, "nothing was answered with " .. status)
    end
  end)

  it("show a route that fails, and one that answers something else", function()
    local function request(path)
      return ('return {\n  { method = "GET", path = %q, auth = "bot", body = "", headers = {} },\n}\n'):format(path)
    end
    local router = r.host.core.router
    router:add { method = "GET", path = "/api/v1/fails", auth = "bot", handler = function() error "boom" end }
    router:add {
      method = "GET", path = "/api/v1/other", auth = "bot", response = { type = "array" },
      handler = function(ctx) return require("parley.http.app").json(ctx, 200, "{\"a\":1}") end,
    }
    r.checks[router:match("GET", "/api/v1/other")] = require("parley.schema.compile").compile { type = "array" }
    r:run(900001, request "/api/v1/nothing")
    for path, problem in pairs {
      ["/api/v1/fails"] = "request failed", ["/api/v1/other"] = "the answer is not of the contract: .*array expected",
    } do
      local ok, said = pcall(r.run, r, 900002, request(path))
      assert.is_false(ok)
      assert.matches("^case 900002: GET " .. path .. ": " .. problem, said)
    end
  end)
end)
