-- The way in: what Telegram brings becomes durable, then its turns run. Polls and webhooks bring
-- it alike: whoever has brought something may confirm it as soon as `take` has returned.

local callback = require "parley.channels.telegram.callback"
local crypto = require "host.crypto"
local door = require "parley.channels.telegram.door"
local json = require "host.json"
local meters = require "parley.ops.meters"
local normalise = require "parley.channels.telegram.normalise"
local time = require "host.time"

local M = {}

-- Of one message as it is stored. The largest that Telegram has are some ten KB.
local BYTES_MAX = 131072

-- The updates that are for this host, as rows of inbox, by their order; and all their kinds.
local function rows_of(bot, source, updates)
  local rows, kinds, now = {}, {}, time.now_ms()
  for i, update in ipairs(updates) do
    local found, kind = normalise.update(bot, update)
    kinds[i] = kind
    if found then
      rows[#rows + 1] = {
        source = source, key = found.message.message_id, dialog_id = found.dialog_id,
        message = found.message, trace_id = crypto.trace_id(), received_at = now, index = i,
        part_of = found.group,
      }
    end
  end
  return rows, kinds
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

-- What cannot be stored would come again and again if it were not confirmed: it is refused.
local function write(telegram, rows, kinds)
  local out = {}
  for _, row in ipairs(rows) do
    local text, err = json.encode(row.message)
    if text and #text <= BYTES_MAX then
      row.payload = text
      out[#out + 1] = row
    else
      kinds[row.index] = "refused"
      telegram.log("warn", "an update cannot be stored, and is left out", {
        source = row.source, update_id = row.key,
        error = err and err.message or ("%d bytes"):format(#text),
      })
    end
  end
  return out
end

-- There is no place for them: those that were taken have to be answered first.
local function full()
  return nil, {
    code = "busy", retryable = true, retry_after = 1, op = "intake",
    message = "too many updates of this bot are not answered yet",
  }
end

-- Those of them that may come in, and are new.
local function store(telegram, bot, rows, kinds, urgent)
  local admitted, err = door.admit(telegram, bot, rows, kinds)
  if not admitted then return nil, err end
  local ok
  ok, err = read_presses(telegram, admitted)
  if not ok then return nil, err end
  local written = write(telegram, admitted, kinds)
  if #written == 0 then return {} end
  return telegram.turn:accept(written, urgent)
end

-- Durable, and in the queue of the turns, whose places are taken before: they are bounded.
local function accept(telegram, bot, source, rows, kinds, durable, urgent)
  local queue = telegram.turn.queue
  if not queue:reserve(source, #rows) then return full() end
  queue:expect(rows)
  local good, fresh, err = pcall(store, telegram, bot, rows, kinds, urgent)
  queue:release(source, #rows - (good and fresh and #fresh or 0))
  if not good or not fresh then queue:came(rows) end
  if not good then error(fresh, 0) end
  if not fresh then return nil, err end
  durable() -- before a turn computes: Telegram does not wait for that
  local is_fresh = {}
  for _, row in ipairs(fresh) do is_fresh[row] = true end
  for _, row in ipairs(rows) do
    if row.payload and not is_fresh[row] then kinds[row.index] = "duplicate" end
  end
  queue:add(fresh)
  queue:came(rows)
  return #fresh
end

---Makes updates durable in one transaction, and has their turns run. On an error nothing of them is
---taken: they must not be confirmed, so that Telegram brings them again.
---@param telegram table parley.channels.telegram
---@param bot {name: string, username: string}
---@param updates table[] of the Bot API, oldest first
---@param durable fun()|nil called when they are, before their turns begin: somebody waits for it
---@param acked boolean|nil they have been confirmed: something else keeps them until now
---@return integer|nil taken how many were new
---@return table|nil err "busy": too many are under way, `retry_after` says when it may go better
function M.take(telegram, bot, updates, durable, acked)
  local source, since = "tg:" .. bot.name, time.mono()
  local rows, kinds = rows_of(bot, source, updates)
  local taken, err = 0, nil
  local function confirm()
    if not acked then meters.telegram_ack:observe(time.mono() - since) end
    if durable then durable() end
  end
  if #rows == 0 then
    confirm()
  else
    local urgent = durable ~= nil or telegram.turn.queue:goes_first(source)
    taken, err = accept(telegram, bot, source, rows, kinds, confirm, urgent)
  end
  if not taken then return nil, err end
  for _, kind in ipairs(kinds) do meters.telegram_updates:with(bot.name, kind):inc() end
  return taken
end

return M
