-- Chats that a bot keeps in the name of a business, with its customers: what it does there names
-- the business connection (Bot API, BusinessConnection). Without it the same call would go to the
-- bot's own chat with the customer.

local json = require "host.json"

local M = {}

-- Methods beside send... and edit... that take `business_connection_id`; what is deleted has a
-- method of its own, which is put in its place when it is sent.
local MORE = {
  pinChatMessage = true, unpinChatMessage = true, stopPoll = true, stopMessageLiveLocation = true,
  deleteMessage = true, deleteMessages = true,
}
local NOT = { sendInvoice = true, sendMessageDraft = true }

---@param method string
---@return boolean takes whether it can be done for a business
function M.takes(method)
  return (method:find "^send" ~= nil or method:find "^edit" ~= nil or MORE[method] == true)
    and not NOT[method] and not method:find "ForumTopic$"
end

---A call as Telegram takes it for a business.
---@param method string
---@param params table with or without `business_connection_id`
---@return string method
---@return table params
function M.real(method, params)
  local connection = params.business_connection_id
  if not connection or not method:find "^deleteMessage" then return method, params end
  return "deleteBusinessMessages", {
    business_connection_id = connection,
    message_ids = params.message_ids or json.array { tonumber(params.message_id) },
  }
end

local function in_message(message)
  local context = type(message) == "table" and message.context
  return context and context.telegram and context.telegram.business_connection_id
end

local LAST = "SELECT payload FROM messages WHERE dialog_id = $1 AND sender_type = 'user' "
  .. "ORDER BY id DESC LIMIT 1"

---The connection of a turn's dialog: of what it answers, or of what has come last. Fails with an
---error when the database cannot be asked, since nothing may go to another chat.
---@param db table
---@param place table of parley.channels.telegram.address
---@param turn table
---@return string|nil connection nil: it is no chat of a business, or nobody has written there
function M.of(db, place, turn)
  if not place.business then return nil end
  local connection = in_message(turn.message)
  if connection then return connection end
  local row, err = db:first(LAST, turn.dialog.id)
  if err then error(err.message, 0) end
  return row and in_message(json.decode(row.payload))
end

return M
