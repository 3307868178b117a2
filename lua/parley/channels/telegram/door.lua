-- Who comes in: not who writes more than people may (`rate_limits.telegram`), and not who may not
-- do what they are about to (`access` of the bot, or `telegram.access`). What is refused is
-- confirmed to Telegram and forgotten; whoever has sent it is told so, and the audit, once in a
-- window.

local access = require "parley.channels.telegram.access"
local audit = require "parley.store.audit"
local cluster = require "parley.cluster"
local notices = require "parley.turn.notices"
local outbox = require "parley.channels.outbox"
local time = require "host.time"

local M = {}

local WINDOW_S = 60 -- of what is refused by the policy

-- Somebody has paid, or is about to: that is no flood.
local UNLIMITED = { event = true }

local LIMITED, FORBIDDEN = "limited", "forbidden"
local NOTICES = { [LIMITED] = "slow_down", [FORBIDDEN] = "not_allowed" }

-- Tells the person: in the answer to their press, or in their own chat. A group is spared.
local function call_of(row, text)
  local message = row.message
  local chat = message.context.telegram.chat
  if message.type == "callback" then
    return {
      method = "answerCallbackQuery", lane = "answer",
      params = { callback_query_id = message.payload.callback_query_id, text = text },
    }
  elseif message.type ~= "event" and chat.id == message.user.telegram_id then
    return { method = "sendMessage", lane = "reply", params = { chat_id = chat.id, text = text } }
  end
end

-- The one that is told by a bot, of those that are refused in a window; all workers share the
-- count.
local function is_first(telegram, bot, row, why, seconds)
  local who = row.message.user
  local id = ("%s:%s:%s"):format(why, bot.name,
    who.telegram_id and ("%.0f"):format(who.telegram_id) or who.external_id)
  local verdict = telegram.turn.limits:take("refusal", id, { requests = 1, seconds = seconds })
  return verdict ~= nil and verdict.allowed
end

-- Of people who state none.
local function usual_locale(telegram, bot)
  return bot.config and bot.config.locale or telegram.turn.manager.current.config.locale
end

local function refuse(telegram, bot, row, why, seconds)
  if not is_first(telegram, bot, row, why, seconds) then return end
  local who, known = row.message.user, row.user_context
  local locale = known and (known.chosen_locale or known.locale) or who.locale
    or usual_locale(telegram, bot)
  local statements = {
    audit.insert {
      source = "telegram", action = "telegram_refused", severity = "warning",
      trace_id = row.trace_id, details = {
        bot = bot.name, reason = why, client_type = row.client_type, dialog_id = row.dialog_id,
        telegram_id = who.telegram_id, type = row.message.type,
      },
    },
  }
  local query = row.message.payload and row.message.payload.callback_query_id
  local call = (not query or telegram.presses:claim(query))
    and call_of(row, notices.text(NOTICES[why], locale))
  local told = call and outbox.deliveries(row.source,
    { dialog = { id = row.dialog_id }, trace_id = row.trace_id }, { call })
  if told then
    statements[2] = outbox.insert(told, time.now_ms())
    statements[3] = cluster.bump "outbox"
  end
  local ok, err = telegram.db:commit(statements)
  if ok and told then telegram.cluster:nudge() end
  if ok and query then telegram.presses:done(query) end
  if not ok then
    telegram.log("error", "a refusal was not told", { bot = bot.name, error = err.message })
  end
end

-- Each person has an allowance; the photos of an album are one message.
local function limit(telegram, bot, rows, kinds)
  local out, albums = {}, {}
  for _, row in ipairs(rows) do
    local id, album = row.message.user.telegram_id, row.part_of and row.dialog_id .. row.part_of
    local verdict = album and albums[album]
    if id and not verdict and not UNLIMITED[row.message.type] then
      local err
      verdict, err = telegram.turn.limits:take("telegram", ("%.0f"):format(id))
      if err then return nil, err end
    end
    if album then albums[album] = verdict end
    if verdict and not verdict.allowed then
      kinds[row.index] = LIMITED
      refuse(telegram, bot, row, LIMITED, verdict.seconds)
    else
      out[#out + 1] = row
    end
  end
  return out
end

local function identify(telegram, bot, rows)
  local people, usual, any = {}, usual_locale(telegram, bot), false
  for _, row in ipairs(rows) do
    local who = row.message.user
    if who.telegram_id then
      people[who.telegram_id] = { name = who.name, locale = who.locale, usual_locale = usual }
      any = true
    end
  end
  if not any then return true end
  local found, err = telegram.users:of(people)
  if not found then return nil, err end
  for _, row in ipairs(rows) do row.user_context = found[row.message.user.telegram_id] end
  return true
end

local function permit(telegram, bot, rows, kinds)
  local out, of_bot = {}, bot.config and bot.config.access
  local of_host = telegram.turn.manager.current.config.telegram.access
  for _, row in ipairs(rows) do
    row.client_type = access.client_type(row.message, row.user_context)
    row.message.context.telegram.client_type = row.client_type
    if access.allows(access.policy(of_bot, of_host, row.client_type), row.message) then
      out[#out + 1] = row
    else
      kinds[row.index] = FORBIDDEN
      refuse(telegram, bot, row, FORBIDDEN, WINDOW_S)
    end
  end
  return out
end

---Leaves the rows that may come in, and knows their users.
---@param telegram table parley.channels.telegram
---@param bot {name: string, config: table|nil}
---@param rows table[] of parley.channels.telegram.intake
---@param kinds string[] for the metrics, by `index` of a row: those of what is refused are changed
---@return table[]|nil rows
---@return table|nil err
function M.admit(telegram, bot, rows, kinds)
  local left, err = limit(telegram, bot, rows, kinds)
  if not left then return nil, err end
  local ok
  ok, err = identify(telegram, bot, left)
  if not ok then return nil, err end
  return permit(telegram, bot, left, kinds)
end

return M
