-- The time of the test kit: it goes from one job to the next, as an author's spec sees it.

local fs = require "host.fs"
local json = require "host.json"
local kit = require "parley.testkit"
local temporary = require "parley.util.temporary"

local MAIN = [[
local p = parley.plugin()
p.on.command("digest", function(c)
  c:every { seconds = 3600, job = "digest", data = { n = 1 } }
  c:schedule { in_ = 90, job = "chain" }
  c:reply "noted"
end)
p.on.job("digest", function(c, data) c.session.n = (c.session.n or 0) + data.n c:reply("digest " .. c.session.n) end)
p.on.job("chain", function(c)
  c.session.links = (c.session.links or 0) + 1
  if c.session.links < 3 then c:schedule { in_ = 90, job = "chain" } end
  c:reply("link at " .. os.time() % 1000000)
end)
p.on.command("rare", { limit = "1/h" }, function(c) c:reply "rare" end)
return p
]]

describe("the test kit", function()
  local bot
  before_each(function()
    local dir = assert(temporary.folder()) .. "/digest"
    assert(fs.mkdir(dir))
    assert(fs.write(dir .. "/main.lua", MAIN))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "digest", version = "1.0.0", api = "1", transport = "lua",
      commands = { { name = "digest" }, { name = "rare" } }, permissions = { "jobs" },
    }))
    bot = kit.start { dir = dir }
  end)
  after_each(function() bot:stop() end)

  it("fires what comes again as often as the time has room for, at the times when it is due", function()
    bot:say "/digest"
    local jobs = bot:jobs()
    assert.same({ "chain", "digest" }, { jobs[1].job, jobs[2].job })
    assert.same({ "digest", 3600, { n = 1 } }, { jobs[2].id, jobs[2].every, jobs[2].data })
    local links = bot:advance(300)
    assert.equal(3, #links)
    local times = {}
    for i, reply in ipairs(links) do times[i] = tonumber(reply.text:match "%d+$") end
    assert.is_true(times[2] - times[1] >= 89 and times[3] - times[2] >= 89)
    local day = bot:advance(86400 - 300)
    assert.equal(24, #day)
    assert.equal("digest 24", day[24].text)
    assert.equal(1, #bot:jobs())
  end)

  it("has the limits of handlers in its own time", function()
    assert.equal("rare", bot:say("/rare").text)
    assert.matches("^Not so fast", bot:say("/rare").text)
    bot:advance(3601)
    assert.equal("rare", bot:say("/rare").text)
  end)
end)
