-- Which chat a dialog is: tg:BOT:CHAT, or tg:BOT:CHAT:THREAD in a group with topics.

local M = {}

---@param bot string the host's name of it
---@param chat_id integer
---@param thread_id integer|nil of a topic
---@return string dialog_id
function M.dialog(bot, chat_id, thread_id)
  return thread_id and ("tg:%s:%d:%d"):format(bot, chat_id, thread_id)
    or ("tg:%s:%d"):format(bot, chat_id)
end

---@param dialog_id string
---@return {bot: string, chat_id: integer, thread_id: integer|nil}|nil place nil: it is no chat, or
---  chat 0, where updates are that belong to none
function M.place(dialog_id)
  local bot, chat, thread = dialog_id:match "^tg:([%w_]+):(%-?%d+):?(%d*)$"
  if not bot or chat == "0" then return nil end
  return { bot = bot, chat_id = tonumber(chat), thread_id = tonumber(thread) }
end

---@param dialog_id string
---@return string|nil bot nil: it is no chat
function M.bot(dialog_id) return dialog_id:match "^tg:([%w_]+):" end

return M
