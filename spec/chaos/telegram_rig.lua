-- A system to break whose messages come from Telegram: the hosts of rig.lua, two bots of a simulated Telegram that runs in
-- this process, and people who write to them. The hosts poll for one; the updates of the other come to a webhook, through
-- the proxy in front of the first host.

local checker = require "spec.chaos.telegram_checker"
local people = require "spec.chaos.telegram_people"
local rig = require "spec.chaos.rig"
local sim = require "parley.sim.telegram"

local M = setmetatable({}, { __index = rig })
M.__index = M

local PEOPLE, RATE = 12, 150 -- of each bot; messages/s of all
local SETTLE_S = 60

-- A command of the first host's, told of the bot's token.
local function order(self, arguments, token)
  local env = { PARLEY_BOT_TOKEN = token }
  for key, value in pairs(self.env) do env[key] = value end
  local code, out = self.instances[1].h:run(arguments, { env = env })
  assert(code == 0, out)
end

---@param o spec.RigOptions
function M.start(o)
  local s = assert(sim.start { limits = false, webhook_timeout = 1, webhook_pause_max = 0.5 })
  local bot, hooked = s.world:add_bot { username = "tally_bot" }, s.world:add_bot { username = "hook_bot" }
  local given = { proxy = true }
  for key, value in pairs(o) do given[key] = value end
  given.env = {
    TELEGRAM_BOT_TOKEN = bot.token, PARLEY_TELEGRAM_API = s:url(), PARLEY_TELEGRAM_PACED = "false",
    PARLEY_SECRET_KEY = ("5"):rep(64), -- each of them opens the token that one has stored
  }
  for key, value in pairs(o.env or {}) do given.env[key] = value end
  local self = setmetatable(rig.start(given), M)
  self.settle_s = SETTLE_S -- what is under way has so long when the people have stopped
  self.sim, self.bots, self.names = s, { bot, hooked }, { [bot] = "main", [hooked] = "hook" }
  order(self, "bot add hook", hooked.token)
  order(self, "bot set-webhook hook --url http://127.0.0.1:" .. self.proxy.port)
  return self
end

---New people for the bots.
---@return table load
function M:load()
  self.running = people.start { sim = self.sim, bots = self.bots, people = PEOPLE, rate = RATE }
  return self.running
end

---Lets the people stop, and waits until everything is answered.
function M:quiesce()
  self.running:stop()
  checker.settle(self.running.people, self.settle_s)
end

---Lets the people stop, and holds what they know against what the hosts have stored.
---@return table[] problems of spec.support.checker
function M:check()
  self:quiesce()
  return checker.check(self.running, self:database(), self.names)
end

function M:close()
  rig.close(self)
  self.sim:close()
end

return M
