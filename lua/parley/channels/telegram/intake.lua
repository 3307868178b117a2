-- The way in: what Telegram brings becomes durable, then its turns run. Polls and webhooks bring
-- it alike: whoever has brought something may confirm it as soon as `take` has returned.

local callback = require "parley.channels.telegram.callback"
local crypto = require "host.crypto"
local meters = require "parley.ops.meters"
local normalise = require "parley.channels.telegram.normalise"
local task = require "host.task"
local time = require "host.time"

local M = {}

-- The updates that are for this host, as rows of inbox, by their order.
local function rows_of(bot, updates)
  local rows, now = {}, time.now_ms()
  for _, update in ipairs(updates) do
    local found, kind = normalise.update(bot, update)
    meters.telegram_updates:with(bot.name, kind or "unknown"):inc()
    if found then
      rows[#rows + 1] = {
        source = "tg:" .. bot.name, key = tostring(update.update_id), dialog_id = found.dialog_id,
        message = found.message, trace_id = crypto.trace_id(), received_at = now,
      }
    end
  end
  return rows
end

-- What a button brings back is put where a plugin looks for it.
local function read_presses(telegram, rows)
  for _, row in ipairs(rows) do
    if row.message.type == "callback" then
      local ok, err = callback.read(telegram.db, telegram.key, row.dialog_id, row.message)
      if not ok then return nil, err end
    end
  end
  return true
end

local function start(telegram, bot, row)
  local at_work = telegram.at_work
  at_work[bot.name] = (at_work[bot.name] or 0) + 1
  task.spawn(function()
    local good, problem = pcall(telegram.turn.resume, telegram.turn, row)
    at_work[bot.name] = at_work[bot.name] - 1
    if not good then error(problem, 0) end
  end)
end

---Makes updates durable in one transaction, and starts their turns. On an error nothing of them is
---taken: they must not be confirmed, so that Telegram brings them again.
---@param telegram table parley.channels.telegram
---@param bot {name: string, username: string}
---@param updates table[] of the Bot API, oldest first
---@return integer|nil taken how many were new
---@return table|nil err
function M.take(telegram, bot, updates)
  local rows = rows_of(bot, updates)
  if #rows == 0 then return 0 end
  local ok, err = read_presses(telegram, rows)
  if not ok then return nil, err end
  local fresh
  fresh, err = telegram.turn:accept(rows)
  if not fresh then return nil, err end
  for _ = #fresh + 1, #rows do meters.telegram_updates:with(bot.name, "duplicate"):inc() end
  for _, row in ipairs(fresh) do start(telegram, bot, row) end
  return #fresh
end

return M
