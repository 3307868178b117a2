-- An update of the Bot API (https://core.telegram.org/bots/api#update) as a message of the
-- contract. Kinds that have no type of their own come as events, whole: `telegram.KIND`, with the
-- value.

local address = require "parley.channels.telegram.address"
local utf8 = require "parley.util.utf8"

local M = {}

local TEXT_MAX, NAME_MAX = 16384, 256

-- What is in a message, most telling first: a video is a document, too.
local MEDIA = {
  "photo", "voice", "audio", "video", "sticker", "animation", "video_note", "document", "location",
  "contact",
}
-- Types of the contract, where Telegram has another word.
local TYPES = { animation = "video", video_note = "video" }

local FILE_FIELDS = {
  "file_id", "file_unique_id", "file_size", "file_name", "mime_type", "width", "height", "duration",
  "emoji", "latitude", "longitude", "phone_number", "first_name", "last_name", "user_id",
}

local function name_of(user)
  local name = user.first_name or ""
  if user.last_name then name = name .. " " .. user.last_name end
  return name ~= "" and utf8.clip(name, NAME_MAX) or user.username
end

-- Who it is from. A channel, or a group's anonymous administrator, is no person.
local function user_of(from, chat)
  if from and not from.is_bot and type(from.id) == "number" then
    return { telegram_id = from.id, name = name_of(from), locale = from.language_code }
  end
  return { external_id = ("tg-chat:%d"):format(chat.id), name = chat.title }
end

-- The largest of a photo's sizes; else the object itself.
local function media_payload(kind, value)
  if kind == "photo" then value = value[#value] or {} end
  local out = { kind = kind }
  for _, field in ipairs(FILE_FIELDS) do out[field] = value[field] end
  return out
end

-- "/start@shop_bot ref" -> "/start ref"; nil: it is another bot's.
local function command_text(message, username)
  local first = message.entities and message.entities[1]
  if not first or first.type ~= "bot_command" or first.offset ~= 0 then
    return message.text, false
  end
  local command, bot, rest = message.text:match "^(/[%w_]+)@?([%w_]*)(.*)$"
  if not command then return message.text, false end
  if bot ~= "" and bot:lower() ~= username:lower() then return nil, false end
  return command .. rest, true
end

local function context_of(chat, message)
  return {
    telegram = {
      chat = { id = chat.id, type = chat.type, title = chat.title, username = chat.username },
      message_id = message and message.message_id,
      thread_id = message and message.message_thread_id,
      reply_to = message and message.reply_to_message and message.reply_to_message.message_id,
      business_connection_id = message and message.business_connection_id,
    },
  }
end

local function thread_of(message)
  return message.is_topic_message and message.message_thread_id or nil
end

local function from_message(bot, message, edited)
  local chat = message.chat
  local out = {
    user = user_of(message.from, chat), channel = "telegram", type = "text",
    context = context_of(chat, message),
  }
  if message.text then
    local text, is_command = command_text(message, bot.username)
    if not text then return nil end
    out.text, out.type = utf8.clip(text, TEXT_MAX), is_command and "command" or "text"
  else
    for _, kind in ipairs(MEDIA) do
      if message[kind] then
        out.type, out.payload = TYPES[kind] or kind, media_payload(kind, message[kind])
        out.text = message.caption
        break
      end
    end
    if not out.payload then return nil, "message" end
    out.payload.group = message.media_group_id
  end
  if edited then out.context.telegram.edited = true end
  return out, nil, thread_of(message)
end

-- A press: the data is the host's own, and is read where the secret is.
local function from_callback(query)
  local message = query.message
  if not message or not message.chat then return nil, "callback_query" end
  return {
    user = user_of(query.from, message.chat), channel = "telegram", type = "callback",
    payload = {
      data = {}, message_id = tostring(message.message_id), callback_query_id = query.id,
      raw = query.data,
    },
    context = context_of(message.chat, message),
  }, nil, thread_of(message)
end

-- Kinds whose value has the chat, or the person, somewhere of its own.
local function place_of(value)
  local from = value.from or value.user or value.actor_chat
  local chat = value.chat or (value.message and value.message.chat)
  if not chat and from then chat = { id = from.id, type = "private" } end
  return chat, from
end

local MESSAGES = { message = false, business_message = false, edited_message = true }

---@param bot {name: string, username: string}
---@param update table
---@return {dialog_id: string, message: table}|nil normalised nil: it is nobody's of this host
---@return string|nil kind of the update, for the metrics
function M.update(bot, update)
  local kind, value
  for key, v in pairs(update) do
    if key ~= "update_id" and type(v) == "table" then kind, value = key, v end
  end
  if not kind then return nil, "empty" end
  local chat, from = place_of(value)
  if not chat or type(chat.id) ~= "number" then return nil, kind end
  local message, whole, thread
  if MESSAGES[kind] ~= nil then
    message, whole, thread = from_message(bot, value, MESSAGES[kind])
    if not message and not whole then return nil, kind end
  elseif kind == "callback_query" then
    message, whole, thread = from_callback(value)
  else
    whole = kind
  end
  if whole then
    message = {
      user = user_of(from, chat), channel = "telegram", type = "event",
      payload = { name = "telegram." .. kind, data = value }, context = context_of(chat),
    }
  end
  message.message_id = tostring(update.update_id)
  return { dialog_id = address.dialog(bot.name, chat.id, thread), message = message }, kind
end

return M
