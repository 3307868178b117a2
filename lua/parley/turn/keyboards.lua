-- The keyboard of a dialog: buttons in the place of the phone's, which write their text when they
-- are pressed. One message brings it, its anchor; another one comes only when the keyboard changes.
--
-- dialogs.state.__keyboard is what is there: `plugin`, `hash`, `keys` (what stands on a button, and
-- the data that it brings back, or true), `delivery` of the anchor.

local digest = require "parley.util.digest"

local M = {}

---Looks at the message of a turn: a text that stands on a button with data is a press of it.
---@param turn table with its dialog
function M.begin(turn)
  local message, keyboard = turn.message, turn.dialog.state.__keyboard
  turn.keyboard_before = keyboard
  if not keyboard or not message or message.type ~= "text" or not message.text then return end
  local data = keyboard.keys[message.text]
  if type(data) ~= "table" then return end
  local pressed = {}
  for key, value in pairs(message) do pressed[key] = value end
  pressed.type, pressed.payload = "callback", { plugin = keyboard.plugin, data = data, key = true }
  turn.message = pressed
end

---@param turn table
---@return string|nil plugin whose button has written the text
function M.owner(turn)
  local keyboard = turn.dialog.state.__keyboard
  return keyboard and keyboard.keys[turn.message.text or ""] and keyboard.plugin or nil
end

-- What is kept of a keyboard; what the channel gets has no data.
local function keep(plugin, given)
  local keys = {}
  local hash = digest.short(given)
  for _, row in ipairs(given.rows) do
    for _, b in ipairs(row) do
      if not b.request then keys[b.text] = b.data or true end
      b.data = nil
    end
  end
  return { plugin = plugin.name, hash = hash, keys = keys }
end

---Carries out a `keyboard` of a message.
---@param turn table gets `keyboard`: {anchor = the action, when it is there for the keyboard only}
---@param plugin parley.Plugin|nil nil: rules, which have no keyboards
---@param action table for the channel
---@param anchor boolean|nil
function M.take(turn, plugin, action, anchor)
  if not plugin then return end
  local given = action.keyboard
  turn.keyboard = { anchor = anchor and action or nil }
  turn.dialog.state.__keyboard = not given.remove and keep(plugin, given) or nil
end

---Carries out the action `keyboard`. Returns what is sent; nil: the keyboard is there already.
---@param turn table
---@param plugin parley.Plugin
---@param action table
---@return table|nil action for the channel
function M.show(turn, plugin, action)
  local now, given = turn.dialog.state.__keyboard, action.keyboard
  if given.remove and not now then return nil end
  local shown = {
    type = "send", text = action.text, format = action.format, entities = action.entities,
    keyboard = given, silent = action.silent,
  }
  if now and now.plugin == plugin.name and now.hash == digest.short(given) then return nil end
  M.take(turn, plugin, shown, not given.remove)
  return shown
end

return M
