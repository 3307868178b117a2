-- The menu and the keyboard of a chat, as messages of Telegram: edited in place, or sent anew and
-- the old one deleted. They are named by their deliveries (parley.channels.telegram.reference);
-- one that nobody has pressed for as long as rows of outbox are kept is sent anew, and what is left
-- of it is stale.

local M = {}

local FIND = "SELECT reference, state FROM outbox WHERE id = $1"

-- The message of what was there before, nil: it has none here.
local function about(before)
  if not before or not (before.delivery or before.id) then return nil end
  return { delivery = before.delivery, id = tonumber(before.id) }
end

local function edited(action, message_id)
  local out = {}
  for key, value in pairs(action) do out[key] = value end
  out.type, out.message_id = "edit", message_id
  return out
end

-- Whether a message may be that of the menu that stays: its number is not known while it is on its
-- way.
local function may_be_current(db, turn, message_id)
  local menu = turn.dialog.state.__menu
  if not menu or turn.menu and not turn.menu.edit then return false end
  local known = turn.menu and turn.menu_before or menu
  if known.id == message_id then return true end
  if not known.delivery then return false end
  local row, err = db:first(FIND, known.delivery)
  if err or row and row.state == "open" then return true end
  return row ~= nil and row.reference == message_id
end

---What is to be rendered for a turn: menus that are edited, and what they and keyboards leave
---behind is deleted.
---@param db table
---@param turn table with its actions
---@return table[] actions
function M.actions(db, turn)
  if not turn.menu and not turn.keyboard and not turn.stale_message then return turn.actions end
  local menu, out = turn.menu, {}
  local before = about(turn.menu_before)
  for i, action in ipairs(turn.actions) do
    if menu and action == menu.action and menu.edit and before then
      menu.action = edited(action, before)
      action = menu.action
    end
    out[i] = action
  end
  local function delete(message_id) out[#out + 1] = { type = "delete", message_id = message_id } end
  if menu and before and not menu.edit then delete(before) end
  local anchor = turn.keyboard and about(turn.keyboard_before)
  if anchor then delete(anchor) end
  local stale = tonumber(turn.stale_message)
  if stale and not may_be_current(db, turn, turn.stale_message) then delete { id = stale } end
  return out
end

---Keeps which deliveries the menu and the keyboard are.
---@param turn table
---@param calls parley.telegram.Call[] of M.actions
---@param deliveries parley.Delivery[] of the calls
function M.keep(turn, calls, deliveries)
  local state = turn.dialog.state
  for i, call in ipairs(calls) do
    local action = call.action
    if action and turn.menu and action == turn.menu.action then
      state.__menu.delivery = deliveries[i].id
    elseif action and turn.keyboard and action == turn.keyboard.anchor then
      state.__keyboard.delivery = deliveries[i].id
    end
  end
end

return M
