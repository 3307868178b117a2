-- People who write to bots of the simulated Telegram while things fail, and remember all that they are told. The
-- plugin behind the bots counts (plugins/tally): a message that is lost, doubled or out of order shows in what it says.

local task = require "host.task"
local time = require "host.time"
local world = require "parley.sim.telegram.world"

local M = {}
M.__index = M

local OPEN = 4       -- messages of a person that may be without an answer
local PATIENCE_S = 2 -- after that somebody writes whatever is open
local AGAIN = 200    -- updates of a bot that are kept, to be brought once more

local function hear(self, person, text)
  local count, before = text:match "^(%d+) after (%w+)$"
  person.heard[#person.heard + 1] = { text = text, count = tonumber(count), before = before }
  person.last_s = time.mono()
  if person.heard_texts[text] then
    self.repeated = self.repeated + 1
  else
    self.turns = self.turns + 1
  end
  person.heard_texts[text] = true
end

local function write(self, person)
  person.sent, person.wrote_s = person.sent + 1, time.mono()
  local bot = person.bot
  assert(self.sim:act("send", {
    bot = bot.user.username, user = person.user.id, text = ("/tally %d"):format(person.sent),
  }))
  local kept = self.kept[bot]
  kept[#kept % AGAIN + 1] = bot.updates[bot.last]
  self.written[bot] = self.written[bot] + 1
end

local function live(self, person)
  while not self.stopping do
    if person.sent - #person.heard < OPEN or time.mono() > person.wrote_s + PATIENCE_S then
      write(self, person)
    end
    task.sleep(self.pause_s * 2 * math.random())
  end
end

---@param o {sim: table, bots: table[], people: integer, rate: number} people: of each bot; rate: messages/s that all
---  of them aim at
function M.start(o)
  local self = setmetatable({
    sim = o.sim, people = {}, kept = {}, written = {}, turns = 0, repeated = 0,
    pause_s = #o.bots * o.people / o.rate,
  }, M)
  for _, bot in ipairs(o.bots) do
    self.kept[bot], self.written[bot] = {}, 0
    for _ = 1, o.people do
      local user = o.sim.world:add_user {}
      local person = {
        bot = bot, user = user, entry = o.sim.world:private(bot, user), sent = 0, heard = {}, heard_texts = {},
      }
      person.entry.listener = function(message)
        if message.from == bot.user then hear(self, person, message.text) end
      end
      self.people[#self.people + 1] = person
    end
  end
  for _, person in ipairs(self.people) do task.spawn(live, self, person) end
  return self
end

---Brings updates once more that bots have taken before, in an order that they were not in.
---@param count integer of each bot
function M:bring_again(count)
  for bot, kept in pairs(self.kept) do
    local taken, updates = {}, {}
    for _, update in ipairs(kept) do
      if world.has_taken(bot, update) then taken[#taken + 1] = update end
    end
    for i = 1, math.min(count, #taken) do updates[i] = taken[math.random(#taken)] end
    self.sim:act("again", { bot = bot.user.username, updates = updates })
  end
end

---As spec.support.load: until everybody was told something after that moment.
---@param since number of time.mono()
---@param seconds number at most
---@return number|nil first seconds after `since` until the first answer
---@return number|nil all nil: somebody had none
function M:recovery(since, seconds)
  local first
  while time.mono() < since + seconds do
    local missing = 0
    for _, person in ipairs(self.people) do
      local at = person.last_s or 0
      if at <= since then
        missing = missing + 1
      elseif not first or at < first then
        first = at
      end
    end
    if missing == 0 then return first - since, time.mono() - since end
    task.sleep(0.005)
  end
  return first and first - since
end

---Nobody writes any more.
function M:stop() self.stopping = true end

return M
