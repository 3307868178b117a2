-- An update of the Bot API (https://core.telegram.org/bots/api#update) as a message of the
-- contract. What has no type there comes as an event: `telegram.KIND` with the value of the update,
-- whole; `telegram.message.NAME` with a message whose content has no type; and where it is not for
-- this bot to answer (a post, the change of a message), with its content as `data`.
--
-- Whatever comes is read with limits (update/shape.lua): what has another form is left out, and an
-- update that nothing can be made of is refused.

local address = require "parley.channels.telegram.address"
local content = require "parley.channels.telegram.update.content"
local context = require "parley.channels.telegram.update.context"
local kinds = require "parley.channels.telegram.update.kinds"
local people = require "parley.channels.telegram.update.people"
local shape = require "parley.channels.telegram.update.shape"

local M = {}

local KIND_MAX, QUERY_MAX, DATA_MAX, CONNECTION_MAX = 40, 128, 256, 128

-- The kind of an update is the name of its only field. Of several, which Telegram does not send,
-- one that is known is read.
local function kind_of(update)
  local found
  for key, value in pairs(update) do
    local fits = type(value) == "table" and type(key) == "string" and #key <= KIND_MAX
      and key:find "^%l[%l%d_]*$"
    if fits and (not found or kinds.KNOWN[key] and not kinds.KNOWN[found]
        or kinds.KNOWN[key] == kinds.KNOWN[found] and key < found) then
      found = key
    end
  end
  return found
end

local function event(name, data)
  return { type = "event", payload = { name = "telegram." .. name, data = data } }
end

-- What is in a message; nil when it is nothing, or for another bot.
local function read(message, bot)
  local found, name = content.read(message, bot.username)
  return found or name and event(name, message)
end

-- What is in a message, as the data of an event.
local function as_data(kind, message, bot)
  local found = read(message, bot)
  if not found then return nil end
  found.message_id = shape.integer(message.message_id)
  return event(kind, found)
end

-- In a private chat of a business only what its customer writes is for the bot.
local function from_business(message, bot)
  local chat = shape.object(message.chat)
  if chat and people.person(message.from) == chat.id then return read(message, bot) end
  return as_data("business_message", message, bot)
end

-- A press: the data is the host's own, and is read where the secret is.
local function from_press(query)
  local message = shape.object(query.message)
  if not message then return event("callback_query", query) end
  local id = shape.integer(message.message_id)
  return {
    type = "callback",
    payload = {
      data = {}, message_id = id and tostring(id), raw = shape.id(query.data, DATA_MAX),
      callback_query_id = shape.id(query.id, QUERY_MAX),
    },
  }
end

local READERS = {
  message = function(_, value, bot) return read(value, bot) end,
  content = as_data,
  business = function(_, value, bot) return from_business(value, bot) end,
  press = function(_, value) return from_press(value) end,
}

local function thread_of(message)
  local id = message.is_topic_message == true and shape.integer(message.message_thread_id)
  return id and id > 0 and id or nil
end

---@param bot {name: string, username: string}
---@param update any
---@return {dialog_id: string, message: table, group: string|nil}|nil normalised nil: it is nobody's
---  of this host; group: of an album
---@return string kind of the update, for the metrics: "other" for one that is not known,
---  "refused" for what is no update
function M.update(bot, update)
  local id = shape.object(update) and shape.integer(update.update_id)
  local kind = id and id >= 0 and kind_of(update)
  if not kind then return nil, "refused" end
  local value, reader = update[kind], READERS[kinds.READ[kind]]
  local chat, from = people.place(value)
  local posted = kinds.READ[kind] == "press" and shape.object(value.message) or value
  if reader and chat.id == 0 then return nil, "refused" end
  local message
  if reader then message = reader(kind, value, bot) else message = event(kind, value) end
  local counted = kinds.KNOWN[kind] and kind or "other"
  if not message then return nil, counted end
  message.user, message.channel = people.user(from, chat), "telegram"
  message.context = context.of(chat, reader and posted or nil)
  local connection = posted and shape.id(posted.business_connection_id, CONNECTION_MAX)
  message.context.telegram.business_connection_id = connection
  message.context.telegram.bot = { name = bot.name, username = bot.username }
  message.message_id = ("%.0f"):format(id)
  return {
    dialog_id = address.dialog(bot.name, chat.id, reader and thread_of(posted) or nil, connection),
    message = message,
    group = message.type ~= "event" and message.payload and message.payload.group or nil,
  }, counted
end

return M
