-- Whom an update is from, and where it belongs.

local shape = require "parley.channels.telegram.update.shape"

local M = {}

local NAME_MAX, TITLE_MAX, LOCALE_MAX = 250, 250, 35
local USERNAME_MAX = 64

---@param user table User of the Bot API
---@return string|nil
function M.name(user)
  local first, last = shape.text(user.first_name, NAME_MAX), shape.text(user.last_name, NAME_MAX)
  local name = first and last and first .. " " .. last or first or last
  return shape.text(name, NAME_MAX) or shape.id(user.username, USERNAME_MAX)
end

local function locale(user)
  local code = shape.id(user.language_code, LOCALE_MAX)
  return code and code:find "^%a%a%a?[%-_%w]*$" and code or nil
end

---@param user any
---@return integer|nil id of a person
function M.person(user)
  user = shape.object(user)
  local id = user and not user.is_bot and shape.integer(user.id)
  return id and id > 0 and id or nil
end

---The user of a message: a person where there is one. A channel, a group's anonymous administrator
---or another bot is none, and stands for the chat.
---@param from any User, or Chat
---@param chat {id: integer, title: string|nil}
---@return table user of DialogMessageCreateV1
function M.user(from, chat)
  local id = M.person(from)
  -- The actor of some updates may be a chat.
  if id and not from.type then
    return { telegram_id = id, name = M.name(from), locale = locale(from) }
  end
  return { external_id = ("tg-chat:%d"):format(chat.id), name = chat.title }
end

---@param chat any Chat of the Bot API
---@return {id: integer, type: string|nil, title: string|nil, username: string|nil}|nil
function M.chat(chat)
  chat = shape.object(chat)
  local id = chat and shape.integer(chat.id)
  if not id or id == 0 then return nil end
  return {
    id = id, type = shape.id(chat.type, 32), title = shape.text(chat.title, TITLE_MAX),
    username = shape.id(chat.username, USERNAME_MAX), is_forum = shape.flag(chat.is_forum),
  }
end

local function first_object(...)
  for i = 1, select("#", ...) do
    local v = shape.object((select(i, ...)))
    if v then return v end
  end
end

-- A boost says only in its source who it is from.
local function booster(value)
  local source = shape.object(value.source)
    or shape.object(value.boost) and shape.object(value.boost.source)
  return source and shape.object(source.user)
end

---Where an update of any kind belongs: its chat, or the private one with whom it is from, or none
---(a poll that has been sent to many), which is chat 0.
---@param value table
---@return {id: integer} chat
---@return table|nil from
function M.place(value)
  local message = shape.object(value.message)
  local from = first_object(value.from, value.user, value.voter_chat, value.actor_chat,
    booster(value))
  local chat = M.chat(value.chat) or message and M.chat(message.chat)
  if chat then return chat, from end
  -- A business connection names the chat with the one whose it is; a voter may be a chat.
  local id = shape.integer(value.user_chat_id) or M.person(from)
  if id then return { id = id, type = "private" }, from end
  return M.chat(from) or { id = 0, type = "none" }, from
end

return M
