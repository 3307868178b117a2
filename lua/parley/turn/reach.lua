-- Where a user can be reached: in which of their dialogs something is said that they have not asked
-- for.

local address = require "parley.channels.telegram.address"

local M = {}

local FIND = "SELECT id, telegram_id FROM users WHERE id = $1"
local FIND_DIALOG = "SELECT id FROM dialogs WHERE id = $1"
local FIND_NEWEST = "SELECT id FROM dialogs WHERE user_id = $1 AND ($2 = '' OR channel = $2) "
  .. "ORDER BY last_message_at DESC LIMIT 1"

---@param db table
---@param user_id string any text
---@param where {bot: string|nil, channel: string|nil} with a bot of Telegram; else the newest
---  dialog of a channel, or of any
---@return string|nil dialog_id
---@return table|nil err "user_not_found", "no_dialog"
function M.dialog(db, user_id, where)
  local user, row, err
  if user_id:find "^[%w-]+$" and #user_id <= 64 then
    user, err = db:first(FIND, user_id)
    if err then return nil, err end
  end
  if not user then
    return nil, { code = "user_not_found", message = "no user has this id", retryable = false }
  end
  if not where.bot then
    row, err = db:first(FIND_NEWEST, user.id, where.channel or "")
  elseif user.telegram_id then
    row, err = db:first(FIND_DIALOG, address.dialog(where.bot, user.telegram_id))
  end
  if err then return nil, err end
  if row then return row.id end
  return nil, {
    code = "no_dialog", message = "the user has not written here yet", retryable = false,
  }
end

return M
