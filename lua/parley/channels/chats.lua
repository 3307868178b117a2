-- What is known of chats that cannot be written to.

local address = require "parley.channels.telegram.address"

local M = {}

---Whether the person of a dialog has blocked its bot.
---@param db table
---@param dialog_id string of any channel
---@return boolean|nil blocked
---@return table|nil err
function M.blocked(db, dialog_id)
  local place = address.place(dialog_id)
  if not place then return false end
  local row, err = db:first("SELECT state FROM chats WHERE sender = $1 AND chat_id = $2 "
    .. "AND state = 'blocked'", "tg:" .. place.bot, place.chat_id)
  if err then return nil, err end
  return row ~= nil
end

return M
