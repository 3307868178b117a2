-- `context.telegram` of a message: where it stands in Telegram.

local people = require "parley.channels.telegram.update.people"
local shape = require "parley.channels.telegram.update.shape"

local M = {}

local QUOTE_MAX = 1024

local function who(user)
  user = shape.object(user)
  if not user then return nil end
  return { id = shape.integer(user.id), name = people.name(user), is_bot = shape.flag(user.is_bot) }
end

-- The message that is answered: it may be in another chat (external_reply).
local function reply(message)
  local to = shape.object(message.reply_to_message)
  if not to then return nil end
  return {
    message_id = shape.integer(to.message_id), from = who(to.from),
    text = shape.text(to.text, QUOTE_MAX) or shape.text(to.caption, QUOTE_MAX),
  }
end

local function quote(message)
  local given = shape.object(message.quote)
  if not given then return nil end
  return { text = shape.text(given.text, QUOTE_MAX), position = shape.integer(given.position) }
end

local function forward(message)
  local origin = shape.object(message.forward_origin)
  if not origin then return nil end
  return {
    type = shape.id(origin.type, 32), date = shape.integer(origin.date),
    user = who(origin.sender_user), name = shape.text(origin.sender_user_name, QUOTE_MAX),
    chat = people.chat(origin.sender_chat) or people.chat(origin.chat),
    message_id = shape.integer(origin.message_id),
  }
end

---@param chat table of people.chat
---@param message table|nil
---@return table context
function M.of(chat, message)
  local out = { chat = chat }
  if message then
    out.message_id = shape.integer(message.message_id)
    out.thread_id = shape.integer(message.message_thread_id)
    out.date, out.edit_date = shape.integer(message.date), shape.integer(message.edit_date)
    out.sender_chat = people.chat(message.sender_chat)
    out.via_bot, out.forward = who(message.via_bot), forward(message)
    out.reply, out.quote = reply(message), quote(message)
    out.reply_to = out.reply and out.reply.message_id
  end
  return { telegram = out }
end

return M
