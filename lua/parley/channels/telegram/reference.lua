-- Calls about a message that an earlier delivery has brought. What Telegram calls a message is
-- known only after it was sent, while what is to become of it later is decided in transactions that
-- do not wait for that. So `params.message_id` may be a table that names the delivery:
--
--     { delivery = "<id of a row of outbox>", id = 123 }
--
-- with `id` when a press has told it: rows of outbox do not stay for ever. Telegram may also
-- refuse: the message is too old, or the person has deleted it. Then something else that comes to
-- the same is done instead.

local M = {}

local FIND = "SELECT reference FROM outbox WHERE id = $1"

-- An edit becomes a message of its own; what cannot be deleted loses its buttons; and those that
-- are gone have none.
local INSTEAD = { editMessageText = "sendMessage", deleteMessage = "editMessageReplyMarkup" }

---Whether a call is about a message of an earlier delivery.
---@param params table
---@return boolean
function M.is_in(params) return type(params.message_id) == "table" end

local function copy(params, message_id)
  local out = {}
  for key, value in pairs(params) do out[key] = value end
  out.message_id = message_id
  return out
end

---The call as Telegram takes it.
---@param db table
---@param params table
---@return table|nil params nil without err: nobody knows the message, as it was never sent or is
---  forgotten
---@return table|nil err of the database
function M.resolve(db, params)
  local about, id = params.message_id, nil
  if about.delivery then
    local row, err = db:first(FIND, about.delivery)
    if err then return nil, err end
    id = row and tonumber(row.reference)
  end
  id = id or about.id
  return id and copy(params, id) or nil
end

---What is done in the place of a call that Telegram refuses, or whose message nobody knows.
---@param method string
---@param params table of M.resolve, with a number, or as it was given when nobody knows the message
---@return string|nil method nil: nothing is left to be done
---@return table|nil params
function M.instead(method, params)
  local other = INSTEAD[method]
  local known = not M.is_in(params)
  if other == "sendMessage" then return other, copy(params, nil) end
  if other and known then return other, copy(params, params.message_id) end
  return nil
end

return M
