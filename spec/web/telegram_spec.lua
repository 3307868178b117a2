-- The page of the simulated Telegram, which telegram.mjs looks at in a browser.

local json = require "host.json"
local programs = require "spec.support.process"
local sim = require "parley.sim.telegram"

describe("the page of the simulated Telegram", function()
  it("shows what a bot sends, and lets a person answer", function()
    local s = assert(sim.start())
    local bot = s.world:add_bot { username = "sim_bot" }
    s.world:add_user { first_name = "Ann" }
    local out = programs.run({ "node", "spec/web/telegram.mjs", s:url(), bot.token },
      { stderr = "stdout", seconds = 60 }).out
    s:close()
    assert.same({}, (json.decode(out) or { problems = { out } }).problems)
  end)
end)
