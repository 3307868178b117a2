-- Long polling, without a Telegram: what is said of what goes wrong.

local poller = require "parley.channels.telegram.poller"
local queue = require "parley.turn.queue"

describe("a poller", function()
  it("explains once that somebody else polls, though every other poll goes well", function()
    local said, n = {}, 0
    poller.run {
      bot = { name = "main" }, queue = queue.new { of_one = 10, of_all = 10 }, wanted = function() return {} end,
      lease = { held = function() return n < 12 end, sleep = function() end },
      log = function(_, text) said[#said + 1] = text end, take = function() return 0 end,
      api = {
        call = function()
          n = n + 1
          if n % 2 == 0 then return {} end
          return nil, { code = "conflict", message = "terminated by other getUpdates request" }
        end,
      },
    }
    assert.equal(12, n)
    assert.equal(1, #said)
    assert.matches("^somebody else gets the updates of this bot", said[1])
  end)

  it("asks for fewer updates at a time while other bots have something, too", function()
    local limits, q = {}, queue.new { of_one = 200, of_all = 400 }
    local mixed = false
    function q.is_mixed() return mixed end
    poller.run {
      bot = { name = "main" }, queue = q, wanted = function() return {} end,
      lease = { held = function() return #limits < 2 end, sleep = function() end },
      log = function() end, take = function() return 0 end,
      api = {
        call = function(_, _, params)
          limits[#limits + 1] = params.limit
          mixed = true
          return {}
        end,
      },
    }
    assert.same({ 100, 20 }, limits)
  end)

  it("asks for a few of a crowd while calm bots have something, and lets them go first", function()
    local said, q = {}, queue.new { of_one = 200, of_all = 400 }
    function q.give_way(_, source)
      said[#said + 1] = source
      return true
    end
    poller.run {
      bot = { name = "main" }, queue = q, wanted = function() return {} end,
      lease = { held = function() return #said < 4 end, sleep = function() end },
      log = function() end, take = function()
        said[#said + 1] = "taken"
        return 1
      end,
      api = {
        call = function(_, _, params)
          said[#said + 1] = params.limit
          return { { update_id = 1 } }
        end,
      },
    }
    assert.same({ "tg:main", 5, "tg:main", "taken" }, said)
  end)

  it("confirms all updates of a batch, in whatever order they have come", function()
    local offsets, batches = {}, { { { update_id = 7 }, { update_id = 9 }, { update_id = 8 } }, {} }
    poller.run {
      bot = { name = "main" }, queue = queue.new { of_one = 10, of_all = 10 }, wanted = function() return { "message" } end,
      lease = { held = function() return #batches > 0 end, sleep = function() end },
      log = function() end, take = function(updates) return #updates end,
      api = {
        call = function(_, _, params)
          offsets[#offsets + 1] = params.offset
          return table.remove(batches, 1)
        end,
      },
    }
    assert.same({ 0, 10 }, offsets)
  end)
end)
