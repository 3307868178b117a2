-- Which chat a dialog is: tg:BOT:CHAT; tg:BOT:CHAT:THREAD in a group with topics; tg:BOT:CHAT:bTAG,
-- the chat of a business with the person CHAT. The id of a business connection is longer than there
-- is room for: TAG is made of it.

local crypto = require "host.crypto"

local M = {}

local TAG_BYTES = 5

---@param bot string the host's name of it
---@param chat_id integer
---@param thread_id integer|nil of a topic
---@param connection string|nil of a business
---@return string dialog_id
function M.dialog(bot, chat_id, thread_id, connection)
  if connection then
    local tag = crypto.hex(crypto.sha256(connection):sub(1, TAG_BYTES))
    return ("tg:%s:%d:b%s"):format(bot, chat_id, tag)
  end
  return thread_id and ("tg:%s:%d:%d"):format(bot, chat_id, thread_id)
    or ("tg:%s:%d"):format(bot, chat_id)
end

---@param dialog_id string
---@return {bot: string, chat_id: integer, thread_id: integer|nil, business: string|nil}|nil place
---  business: the tag of its connection; nil: it is no chat, or chat 0, where updates are that
---  belong to none
function M.place(dialog_id)
  local bot, chat, rest = dialog_id:match "^tg:([%w_]+):(%-?%d+)(.*)$"
  if not bot or chat == "0" then return nil end
  local thread, business
  if rest ~= "" then
    thread, business = rest:match "^:(%d+)$", rest:match "^:b(%x+)$"
    if not thread and not business then return nil end
  end
  return {
    bot = bot, chat_id = tonumber(chat), thread_id = thread and tonumber(thread),
    business = business,
  }
end

---@param dialog_id string
---@return string|nil bot nil: it is no chat
function M.bot(dialog_id) return dialog_id:match "^tg:([%w_]+):" end

return M
