-- One attempt at a delivery: what is written down before it, the call, and what follows from the
-- answer.

local api_of = require "parley.channels.telegram.api"
local audit = require "parley.store.audit"
local chats = require "parley.channels.telegram.sending.chats"
local meters = require "parley.ops.meters"
local outbox = require "parley.channels.outbox"
local queue = require "parley.channels.telegram.sending.queue"
local reference = require "parley.channels.telegram.reference"
local time = require "host.time"

local M = {}

local FAILURES = 3  -- of a delivery, in one life of the host
local BEGUN = 20    -- times, in all: what was cut off so often has had a part in it
local PAUSE_S, PAUSE_MAX_S = 0.5, 10

---@type table<string, boolean> errors of a bot, not of a delivery: nothing else would go better
M.AWAY = { connect = true, lost = true, unavailable = true, unauthorized = true }

local function log_lost(self, delivery, err)
  self.log("warn", "a message was not delivered", {
    sender = self.sender, dialog_id = delivery.dialog_id, trace_id = delivery.trace_id,
    code = err.code, error = err.message,
  })
end

-- It is over, and did not get there. letter: a person has to look at it.
local function give_up(self, delivery, err, letter, more)
  meters.telegram_dead:with(self.bot, err.code):inc()
  local statements = outbox.dead(delivery, err, letter, time.now_ms())
  statements[#statements + 1] = more
  if letter then
    meters.dead_letters:with("outbox"):inc()
    log_lost(self, delivery, err)
  end
  self.outlet.notes:write(statements)
end

-- It was begun and certainly not carried out: its row is as before.
local function take_back(self, delivery)
  self.outlet.notes:write { outbox.take_back(delivery) }
  delivery.attempts = delivery.attempts - 1
end

-- Puts another call in the place of one that cannot be made. Returns the seconds until then, or nil
-- when there is none.
local function replace(self, delivery, params, statements)
  local method
  method, params = reference.instead(delivery.method, params)
  if method then
    delivery.method, delivery.params = method, params
    statements[#statements + 1] = outbox.replace(delivery)
  else
    statements[#statements + 1] = outbox.sent(delivery, nil, time.now_ms())
  end
  self.outlet.notes:write(statements)
  return method and 0 or nil
end

-- before ------------------------------------------------------------------------------------------

-- What Telegram would not understand, in words that help.
local function check(delivery)
  local id = delivery.params.message_id
  local n = tonumber(id)
  if id ~= nil and not reference.is_in(delivery.params) and not (n and n % 1 == 0) then
    return {
      code = "invalid_message_id",
      message = ("%s: message_id is '%s', and has to be the number of a message of this chat, as "
        .. "in payload.message_id of a press"):format(delivery.method, tostring(id):sub(1, 64)),
    }
  end
  if delivery.attempts >= BEGUN then
    return {
      code = "crashed",
      message = ("%s: it was begun %d times, and the host has not lived to see how it went")
        :format(delivery.method, delivery.attempts),
    }
  end
  if delivery.uncertain and api_of.policy(delivery.method) == "once" then
    return {
      code = "uncertain",
      message = delivery.method .. ": nobody knows whether it was carried out, and it must not be "
        .. "done twice",
    }
  end
end

-- Whether table `chats` says whether it can be written to.
local function is_noted(chat) return chat.chat_id ~= nil and not chat.business end

-- What a person has not asked for is not tried where it cannot arrive.
local function look_at_chat(self, chat, delivery)
  if queue.rank(delivery) <= queue.REPLY or not is_noted(chat) then return true end
  if not chat.checked then
    local row, err = chats.find(self.db, self.sender, chat.chat_id)
    if err then return nil, err end
    chat.checked = true
    if row and row.state == "migrated" then
      chat.moved = row.migrated_to
    else
      chat.closed = row and row.state
    end
  end
  return true
end

-- Writes down that it is begun. Returns whether it is, or else the seconds to wait; nil: it is
-- over.
local function begin(self, delivery)
  if delivery.begun then
    delivery.begun = false
    return true
  end
  local ok, err = outbox.begin(self.db, self.lease, delivery)
  if ok then return true end
  if err.code == "conflict" and err.statement == 1 then -- the lease is another's, with all rows
    self:close()
    return false, nil
  end
  if err.code == "conflict" then
    -- The row was done by the sender before; or that one has taken back what it had begun, since
    -- the row was read: then it is next in its chat all the same.
    local is_open
    is_open, err = outbox.read_again(self.db, delivery)
    if not err then return false, is_open and 0 or nil end
  end
  self.log("error", "nothing is sent while it cannot be noted", {
    sender = self.sender, error = err.message,
  })
  return false, PAUSE_S
end

-- after -------------------------------------------------------------------------------------------

-- An edit that changes nothing, or comes after the message is gone, has nothing more to do.
local function is_done(err)
  local said = err.code == "bad_request" and err.description or ""
  return said:find("message is not modified", 1, true) or said:find("to delete not found", 1, true)
    or said:find("query is too old", 1, true)
end

local function reference_of(result) return type(result) == "table" and result.message_id or nil end

local function succeed(self, chat, delivery, result)
  local statements = { outbox.sent(delivery, reference_of(result), time.now_ms()) }
  -- Once for each chat that is remembered: that it was blocked may be in the database only.
  if is_noted(chat) and (chat.closed or not (chat.clean or chat.checked)) then
    statements[2] = chats.clear(self.sender, chat.chat_id)
  end
  if chat.chat_id then chat.clean, chat.closed = true, nil end
  if delivery.uncertain and api_of.policy(delivery.method) == "repeat" then
    statements[#statements + 1] = audit.insert {
      source = "telegram", action = "delivery_repeated", severity = "warning",
      trace_id = delivery.trace_id,
      details = { sender = self.sender, dialog_id = delivery.dialog_id, method = delivery.method },
    }
  end
  chat.is_noting = true
  self.outlet.notes:write(statements)
  chat.is_noting = false
end

local function refused(self, chat, delivery, err)
  local wait = err.retry_after
  local of_bot = self.pace:refused(chat, delivery, wait, time.mono())
  meters.telegram_refusals:with(self.bot, of_bot and "bot" or "chat"):inc()
  meters.telegram_waits:with(self.bot):inc(wait)
  take_back(self, delivery)
  if of_bot and not self.slow_told then
    self.slow_told = true
    self.log("warn", "Telegram slows a bot down: its broadcasts go slower from now on", {
      sender = self.sender, seconds = wait,
    })
  end
  return 0 -- the pace knows how long
end

local function follow(self, chat, delivery, err)
  chat.moved = err.migrate_to
  self.outlet.notes:write {
    chats.note(self.sender, delivery.params.chat_id, "migrated", err.migrate_to, time.now_ms()),
  }
  return 0
end

-- How a failure is met: the seconds until the next attempt, or nil when it is over.
local function fail(self, chat, delivery, err, params)
  if err.code == "rate_limited" then return refused(self, chat, delivery, err) end
  if err.code == "unauthorized" then
    take_back(self, delivery)
    self:go_away(err)
    return 0
  end
  if M.AWAY[err.code] then self:failed(err) end
  delivery.uncertain = delivery.uncertain or err.unknown == true
  -- What was cut off when a host was killed is no failure of the delivery.
  delivery.failures = (delivery.failures or 0) + 1
  if err.migrate_to and is_noted(chat) and delivery.failures < FAILURES then
    return follow(self, chat, delivery, err)
  end
  if err.code == "forbidden" and is_noted(chat) then
    chat.closed, chat.checked = chats.state(err.description or ""), true
    err.code = chat.closed
    return give_up(self, delivery, err, false,
      chats.note(self.sender, chat.chat_id, chat.closed, nil, time.now_ms()))
  end
  if is_done(err) then
    self.outlet.notes:write { outbox.sent(delivery, params.message_id, time.now_ms()) }
    return nil
  end
  if err.code == "bad_request" and reference.is_in(delivery.params) then
    local statement = outbox.take_back(delivery)
    delivery.attempts = delivery.attempts - 1
    return replace(self, delivery, params, { statement })
  end
  local last = not err.retryable or delivery.failures >= FAILURES
    or err.unknown and api_of.policy(delivery.method) == "once"
  if last then return give_up(self, delivery, err, true) end
  return math.min(PAUSE_S * 4 ^ (delivery.failures - 1), PAUSE_MAX_S)
end

---Makes an attempt. It may wait for long.
---@param self parley.telegram.Sender
---@param chat parley.ChatQueue
---@param delivery parley.Delivery
---@param free fun() to be called when the call has ended: what follows needs no slot
---@return number|nil seconds until the next attempt; nil: it is over
function M.run(self, chat, delivery, free)
  local problem = check(delivery)
  if problem then return give_up(self, delivery, problem, true) end
  local ok, err = look_at_chat(self, chat, delivery)
  if not ok then
    self.log("error", "a chat cannot be looked up", { sender = self.sender, error = err.message })
    return PAUSE_S
  end
  if chat.closed and queue.rank(delivery) > queue.REPLY then
    return give_up(self, delivery, {
      code = chat.closed, message = delivery.method .. ": the chat is " .. chat.closed
        .. ", and was not tried",
    }, false)
  end
  local params = delivery.params
  if reference.is_in(params) then
    params, err = reference.resolve(self.db, params)
    if err then return PAUSE_S end
    if not params then
      return replace(self, delivery, delivery.params, {})
    end
  end
  local begun, wait = begin(self, delivery)
  if not begun then return wait end
  if not self.lease:held() then
    self:close()
    take_back(self, delivery)
    return nil
  end
  if chat.moved then params.chat_id = chat.moved end
  local since = time.mono()
  local result
  result, err = self.api:call(delivery.method, params)
  meters.telegram_send(self.bot, delivery.method, err and err.code, time.mono() - since)
  free()
  if err then return fail(self, chat, delivery, err, params) end
  self:succeeded()
  return succeed(self, chat, delivery, result)
end

return M
