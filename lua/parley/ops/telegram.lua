-- What bots send and why it waits: gauges of this worker, and the report of all workers at
-- /metrics/telegram-rate-limit.
--
-- Thousands of bots must not make thousands of series: those with most to send have their own, all
-- others have theirs together, under "other".

local metrics = require "parley.ops.metrics"
local outbox = require "parley.channels.outbox"
local task = require "host.task"
local time = require "host.time"

local M = {}

local BOTS = 40    -- of a worker that have series of their own
local SHOWN = 100  -- of a report
local TIMEOUT_S = 2

-- The bots with most to send first.
local function by_waiting(senders)
  local list = {}
  for _, s in pairs(senders) do list[#list + 1] = s end
  table.sort(list, function(a, b)
    if a.waiting ~= b.waiting then return a.waiting > b.waiting end
    return a.bot < b.bot
  end)
  return list
end

---The gauges of a worker, for parley.ops.watch.
---@param r parley.metrics.Registry
---@return fun(outlet: table) update reads what the senders of the worker share
function M.gauges(r)
  local waiting = r:gauge("parley_telegram_waiting",
    "Deliveries in memory that wait to be sent, by lane.", { "bot", "lane" })
  local chats = r:gauge("parley_telegram_chats_waiting",
    "Chats that wait: for the pace that is known, as Telegram has told them, or for another "
      .. "attempt.", { "bot" })
  local rate = r:gauge("parley_telegram_broadcast_rate",
    "Broadcasts that a bot sends in a second at most: as configured, or slower, as learned.",
    { "bot" }, { merge = "max" })
  local away = r:gauge("parley_telegram_away",
    "1 while nothing of a bot is tried, since Telegram cannot be reached or does not know its "
      .. "token: the code of the error.", { "bot", "code" }, { merge = "max" })
  local overflow = r:gauge("parley_telegram_overflow",
    "Lanes of a bot of which there is more in the database than fits into memory.", { "bot" })
  local running = r:gauge("parley_telegram_calls_running",
    "Calls under way that deliver something.")
  return function(outlet)
    for _, family in ipairs { waiting, chats, rate, away, overflow } do family:clear() end
    running:set(outlet.at_work)
    for i, s in ipairs(by_waiting(outlet.senders)) do
      local bot = i <= BOTS and s.bot or metrics.OTHER
      for rank, lane in pairs(s.lanes) do
        if lane.n > 0 then waiting:with(bot, outbox.LANES[rank]):inc(lane.n) end
        overflow:with(bot):inc(lane.more and 1 or 0)
      end
      chats:with(bot):inc(s.resting)
      rate:with(bot):set(math.max(rate:with(bot).value, s.pace.rate))
      if s.away then away:with(bot, s.away.code):set(1) end
    end
  end
end

-- the report --------------------------------------------------------------------------------------

-- The series of a family, each as its values by label.
local function series_of(snapshot, name)
  for _, family in ipairs(snapshot) do
    if family.name == name then
      local out = {}
      for i, s in ipairs(family.series) do
        local row = { value = s.value, counts = s.counts, sum = s.sum }
        for k, label in ipairs(family.labels) do row[label] = s.labels[k] end
        out[i] = row
      end
      return out
    end
  end
  return {}
end

local function bot_of(bots, name)
  bots[name] = bots[name] or {
    bot = name, updates = {}, sends = {}, refused = {}, undelivered = {}, waiting = {}, outbox = {},
    told_to_wait_seconds = 0, chats_waiting = 0, rows = 0,
  }
  return bots[name]
end

local function read_counters(snapshot, bots)
  for _, s in ipairs(series_of(snapshot, "parley_telegram_updates_total")) do
    bot_of(bots, s.bot).updates[s.kind] = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_sends_total")) do
    local sends = bot_of(bots, s.bot).sends
    sends[s.method] = sends[s.method] or {}
    sends[s.method][s.outcome] = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_refusals_total")) do
    bot_of(bots, s.bot).refused[s.of] = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_wait_seconds_total")) do
    bot_of(bots, s.bot).told_to_wait_seconds = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_undelivered_total")) do
    bot_of(bots, s.bot).undelivered[s.code] = s.value
  end
end

local function read_gauges(snapshot, bots)
  for _, s in ipairs(series_of(snapshot, "parley_telegram_waiting")) do
    bot_of(bots, s.bot).waiting[s.lane] = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_chats_waiting")) do
    bot_of(bots, s.bot).chats_waiting = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_broadcast_rate")) do
    bot_of(bots, s.bot).broadcasts_per_second = s.value
  end
  for _, s in ipairs(series_of(snapshot, "parley_telegram_away")) do
    bot_of(bots, s.bot).away = s.code
  end
end

local function read_outbox(rows, bots)
  local now = time.now_ms()
  for _, row in ipairs(rows) do
    local name = row.sender:match "^tg:(.*)$"
    if name then
      local bot = bot_of(bots, name)
      local since = tonumber(row.oldest:sub(1, 8) .. row.oldest:sub(10, 13), 16) or now
      bot.rows = bot.rows + row.n
      bot.outbox[row.lane] = { rows = row.n, oldest_seconds = math.max(0, now - since) / 1000 }
    end
  end
end

-- The mean time until what a webhook has brought was durable.
local function ack_seconds(snapshot)
  local s = series_of(snapshot, "parley_telegram_ack_seconds")
  local n, sum = 0, 0
  for _, row in ipairs(s) do
    sum = sum + row.sum
    for _, count in ipairs(row.counts) do n = n + count end
  end
  return n > 0 and sum / n or nil
end

---What /metrics/telegram-rate-limit answers.
---@param snapshot parley.metrics.Snapshot[] of all workers
---@param db table
---@param limits parley.telegram.Limits|nil as configured
---@return table
function M.report(snapshot, db, limits)
  local bots, list = {}, {}
  read_counters(snapshot, bots)
  read_gauges(snapshot, bots)
  local asked = task.child(outbox.backlog, db)
  local done, rows = asked:join(TIMEOUT_S)
  if not done then asked:cancel() end
  if done and rows then read_outbox(rows, bots) end
  for _, bot in pairs(bots) do list[#list + 1] = bot end
  table.sort(list, function(a, b)
    if a.rows ~= b.rows then return a.rows > b.rows end
    return a.bot < b.bot
  end)
  local left_off = math.max(0, #list - SHOWN)
  for i = #list, SHOWN + 1, -1 do list[i] = nil end
  return {
    bots = list, left_off = left_off, limits = limits, mean_ack_seconds = ack_seconds(snapshot),
    database = done and rows and "ok" or "unavailable",
  }
end

return M
