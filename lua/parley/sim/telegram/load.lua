-- People who write all the time and wait for an echo: a load, and what it has seen. Each message
-- has a number, and each answer must bring the next one: what was lost, doubled or out of order
-- shows.
--
-- What such people are told is kept by nobody: a load weighs on the bot, not on the simulator.

local json = require "host.json"
local task = require "host.task"
local time = require "host.time"
local world = require "parley.sim.telegram.world"

local M = {}
M.__index = M

local TICK_S = 0.001
local FIRST_USER = 500000000 -- nobody else of the simulator has such ids

---@class parley.sim.LoadOptions
---@field bots string[]|nil names; default: all
---@field people integer|nil of each bot, default 1
---@field rate number|nil messages/s of all together; default: each writes when he was answered
---@field messages integer|nil that each person writes at most
---@field seconds number|nil that they go on writing, default 10
---@field text string|nil what they write, before the number; default "/echo"

local function write(self, person)
  local n = person.sent + 1
  person.sent, person.at[n] = n, time.mono()
  self.sent = self.sent + 1
  local entry = person.entry
  local id = entry.next_message
  entry.next_message = id + 1
  world.update(person.bot, "message", {
    message_id = id, date = self.world:now(), chat = entry.chat, from = person.user,
    text = self.text .. n, entities = self.entities,
  })
end

local function may_write(self, person)
  return not self.stopped and person.sent < self.messages and time.mono() < self.until_s
end

-- A person hears something. Only the number that is expected next is an answer in its place.
local function hear(self, person, text)
  local n, seen = tonumber(text), self.seen[person.bot]
  local at = n and person.at[n]
  if not at then
    seen.again = seen.again + (n and 1 or 0)
    seen.other = seen.other + (n and 0 or 1)
    return
  end
  if n ~= person.answered + 1 then seen.disorder = seen.disorder + 1 end
  person.answered, person.at[n] = n, nil
  seen.waits[#seen.waits + 1] = time.mono() - at
  self.answered, self.last_s = self.answered + 1, time.mono()
  if not self.rate and may_write(self, person) then write(self, person) end
end

local function new_person(self, bot, id)
  local user = self.world.users[id] or self.world:add_user { id = id }
  local person = {
    bot = bot, user = user, entry = self.world:private(bot, user), sent = 0, answered = 0, at = {},
  }
  person.entry.listener = function(message) hear(self, person, message.text) end
  return person
end

-- So many a second, one person after the other; what a late tick has missed it makes up for.
local function at_rate(self)
  local made, index, idle = 0, 0, 0
  while idle < #self.people and not self.stopped do
    local now = time.mono()
    local due = (math.min(now, self.until_s) - self.since_s) * self.rate
    while made < due and idle < #self.people do
      index = index % #self.people + 1
      local person = self.people[index]
      if person.sent < self.messages then
        write(self, person)
        made, idle = made + 1, 0
      else
        idle = idle + 1
      end
    end
    if now >= self.until_s then return end
    task.sleep(TICK_S)
  end
end

---Begins a load. Every load has people of its own, so that several go side by side.
---@param w table the world
---@param number integer of the load, for the ids of its people
---@param given parley.sim.LoadOptions
---@return table|nil load
---@return string|nil problem
function M.start(w, number, given)
  local bots, names = {}, given.bots
  for _, bot in pairs(w.bots) do if not names then bots[#bots + 1] = bot end end
  for _, name in ipairs(names or {}) do
    if not w.bots[name] then return nil, ("there is no bot '%s'"):format(tostring(name)) end
    bots[#bots + 1] = w.bots[name]
  end
  table.sort(bots, function(a, b) return a.user.id < b.user.id end)
  local rate, text = tonumber(given.rate), given.text or "/echo"
  local self = setmetatable({
    world = w, people = {}, seen = {}, bots = bots, sent = 0, answered = 0,
    rate = rate and rate > 0 and rate or nil, messages = tonumber(given.messages) or math.huge,
    text = text .. " ", since_s = time.mono(),
    entities = text:find "^/[%w_]+$"
      and json.array { { type = "bot_command", offset = 0, length = #text } } or nil,
  }, M)
  self.until_s = self.since_s + (tonumber(given.seconds) or 10)
  for _, bot in ipairs(bots) do
    self.seen[bot] = { waits = {}, again = 0, disorder = 0, other = 0 }
  end
  -- One person of each bot after the other: bots take turns from the start.
  for i = 1, tonumber(given.people) or 1 do
    for _, bot in ipairs(bots) do
      self.people[#self.people + 1] = new_person(self, bot, FIRST_USER + number * 1000000 + i)
    end
  end
  if self.rate then
    task.spawn(at_rate, self)
  else
    for _, person in ipairs(self.people) do
      if may_write(self, person) then write(self, person) end
    end
  end
  return self
end

---Nobody writes any more; what comes is still heard.
function M:stop() self.stopped = true end

local function figures(waits, seen)
  table.sort(waits)
  local function at(share) return waits[math.max(1, math.ceil(share * #waits))] end
  local function ms(s) return s and math.floor(s * 1e5 + 0.5) / 100 end
  return {
    answered = #waits, again = seen.again, disorder = seen.disorder, other = seen.other,
    p50_ms = ms(at(0.5)), p99_ms = ms(at(0.99)), max_ms = ms(at(1)),
  }
end

---What has been seen so far. The waits of a person go from his message to its answer.
---@param each boolean|nil also of each bot
---@return table view {sent, answered, again, disorder, other, seconds, p50_ms, p99_ms, max_ms,
---  done, bots}; again: answers that had been there; disorder: not the next in their chat; other:
---  no numbers; seconds: from the first message to the last answer
function M:view(each)
  local all, sum, bots = {}, { again = 0, disorder = 0, other = 0 }, {}
  for _, bot in ipairs(self.bots) do
    local seen = self.seen[bot]
    for key in pairs(sum) do sum[key] = sum[key] + seen[key] end
    for _, wait in ipairs(seen.waits) do all[#all + 1] = wait end
    if each then bots[bot.user.username] = figures(seen.waits, seen) end
  end
  local out = figures(all, sum)
  out.sent, out.bots = self.sent, each and bots or nil
  out.seconds = (self.last_s or self.since_s) - self.since_s
  out.done = self.answered == self.sent and (self.stopped or time.mono() >= self.until_s
    or self.sent == #self.people * self.messages)
  return out
end

return M
