-- Long polling of one bot. An update is confirmed to Telegram by the next request, after it is in
-- the inbox: whatever happens before that, Telegram brings it again, and the inbox knows it.

local explain = require "parley.channels.telegram.explain"
local meters = require "parley.ops.meters"
local room = require "parley.channels.telegram.room"
local time = require "host.time"

local M = {}

local POLL_S = 25
local PAUSE_S, PAUSE_MAX_S = 0.5, 30
local CALM_S = 60

-- Until they are durable nothing of them is confirmed.
local function take(self, updates)
  local pause = PAUSE_S
  while self.lease:held() do
    local taken, err = self.take(updates)
    if taken then return true end
    if err.code == "busy" then
      self.queue:wait("tg:" .. self.bot.name, #updates, pause)
    else
      self.log("error", "updates could not be stored; Telegram keeps them", {
        bot = self.bot.name, error = err.message,
      })
      self.lease:sleep(pause)
    end
    pause = math.min(pause * 2, PAUSE_MAX_S)
  end
end

-- All of them are confirmed by it, in whatever order they have come.
local function next_offset(updates, offset)
  for _, update in ipairs(updates) do
    local id = type(update) == "table" and update.update_id
    if type(id) == "number" and id >= offset then offset = id + 1 end
  end
  return offset
end

local function failed(self, err)
  meters.telegram_polls:with(self.bot.name, err.code):inc()
  self.failed_at = time.mono()
  if self.told == err.code then return end
  self.told = err.code
  self.log("error", explain[err.code] or "updates cannot be had", {
    bot = self.bot.name, code = err.code, error = err.message,
  })
end

-- Two pollers of one bot get 409 in turn: between them a poll that goes well says nothing.
local function well(self)
  if self.told == "conflict" and time.mono() - self.failed_at < CALM_S then return end
  self.told = nil
end

---Polls as long as the lease is held.
---@param self {bot: table, api: table, lease: parley.Lease, log: function, queue: table,
---  take: (fun(updates: table[]): integer|nil, table|nil), wanted: fun(): string[]} take: makes
---  updates durable and has their turns run, in the queue of parley.turn; wanted: kinds of updates
function M.run(self)
  local offset, pause = 0, PAUSE_S
  local source = "tg:" .. self.bot.name
  local function held() return self.lease:held() end
  while true do
    local limit, gave_way = room.wait(self.queue, source, held)
    if limit == 0 or not self.lease:held() then break end
    local updates, err = self.api:call("getUpdates", {
      offset = offset, timeout = POLL_S, limit = limit, allowed_updates = self.wanted(),
    }, POLL_S + 10)
    if updates then
      pause = PAUSE_S
      well(self)
      if gave_way then self.queue:give_way(source) end
      if #updates > 0 and take(self, updates) then offset = next_offset(updates, offset) end
    else
      failed(self, err)
      self.lease:sleep(math.max(pause, err.retry_after or 0))
      pause = math.min(pause * 2, PAUSE_MAX_S)
    end
  end
end

return M
