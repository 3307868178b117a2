-- The way in: what Telegram brings becomes durable, then its turns run. Polls and webhooks bring
-- it alike: whoever has brought something may confirm it as soon as `take` has returned.

local callback = require "parley.channels.telegram.callback"
local crypto = require "host.crypto"
local meters = require "parley.ops.meters"
local normalise = require "parley.channels.telegram.normalise"
local time = require "host.time"

local M = {}

-- The updates that are for this host, as rows of inbox, by their order.
local function rows_of(bot, source, updates)
  local rows, now = {}, time.now_ms()
  for _, update in ipairs(updates) do
    local found, kind = normalise.update(bot, update)
    meters.telegram_updates:with(bot.name, kind or "unknown"):inc()
    if found then
      rows[#rows + 1] = {
        source = source, key = tostring(update.update_id), dialog_id = found.dialog_id,
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

-- There is no place for them: those that were taken have to be answered first.
local function full()
  return nil, {
    code = "busy", retryable = true, retry_after = 1, op = "intake",
    message = "too many updates of this bot are not answered yet",
  }
end

-- Durable, and in the queue of the turns, whose places are taken before: they are bounded.
local function accept(telegram, source, rows)
  local queue = telegram.turn.queue
  if not queue:reserve(source, #rows) then return full() end
  local ok, err = read_presses(telegram, rows)
  local fresh
  if ok then fresh, err = telegram.turn:accept(rows) end
  queue:release(source, #rows - (fresh and #fresh or 0))
  if not fresh then return nil, err end
  queue:add(fresh)
  return #fresh
end

---Makes updates durable in one transaction, and has their turns run. On an error nothing of them is
---taken: they must not be confirmed, so that Telegram brings them again.
---@param telegram table parley.channels.telegram
---@param bot {name: string, username: string}
---@param updates table[] of the Bot API, oldest first
---@return integer|nil taken how many were new
---@return table|nil err "busy": too many are under way, `retry_after` says when it may go better
function M.take(telegram, bot, updates)
  local source = "tg:" .. bot.name
  local rows = rows_of(bot, source, updates)
  if #rows == 0 then return 0 end
  local taken, err = accept(telegram, source, rows)
  if not taken then return nil, err end
  for _ = taken + 1, #rows do meters.telegram_updates:with(bot.name, "duplicate"):inc() end
  return taken
end

return M
