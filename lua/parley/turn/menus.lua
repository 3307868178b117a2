-- The menu of a dialog: one message with buttons, which is kept as its plugin describes it. Nothing
-- is sent when nothing has changed; what has changed is edited in place while the message is the
-- last one, and else comes as a new message in the place of the old one.
--
-- dialogs.state.__menu is what is shown:
--   plugin, name, args   who has described it, and as what
--   stack                {name, args} of the menus that lead here, for buttons that go back
--   mark                 of its buttons: a press with another one is of a menu that is gone
--   hash                 of what it looks like
--   buried               there is something below it
--   tap                  {mark, key, at} of the last press that was taken
--   delivery, id         of the message in its channel (parley.channels.telegram.menus)

local crypto = require "host.crypto"
local digest = require "parley.util.digest"
local json = require "host.json"

local M = {}

local DEPTH = 16     -- of the stack
local TAP_MS = 1000  -- two presses of one button within it are one: a finger has trembled

-- data of the buttons that are the host's own
local OPEN, ARGS, BACK, CLOSE = "_menu", "_args", "_back", "_close"

-- Whether a person has written something: the press of a keyboard writes what stands on the button.
local function is_typed(message)
  if not message or message.type == "event" then return false end
  return message.type ~= "callback" or (message.payload or {}).key == true
end

---Looks at the message of a turn: what a person writes stands below the menu. The `plugin` of a
---menu's button is "NAME#MARK", whatever way it has come back: the mark goes to `payload.menu`.
---@param turn table with its dialog
function M.begin(turn)
  local message, menu = turn.message, turn.dialog.state.__menu
  turn.menu_before = menu
  if menu and is_typed(message) then menu.buried = true end
  local payload = message and message.type == "callback" and message.payload
  if not payload or type(payload.plugin) ~= "string" then return end
  local plugin, mark = payload.plugin:match "^(.-)#(.+)$"
  if plugin then payload.plugin, payload.menu = plugin, mark end
end

local BELOW = "SELECT 1 AS x FROM messages WHERE dialog_id = $1 AND id > $2 "
  .. "AND sender_type = 'operator' LIMIT 1"

---Looks whether a broadcast has come below the menu: it goes past the turns of the dialog.
---@param db table
---@param turn table of M.begin
---@return boolean|nil ok
---@return table|nil err of the database
function M.look_below(db, turn)
  local menu = turn.dialog.state.__menu
  if not menu or menu.buried or not menu.delivery then return true end
  local row, err = db:first(BELOW, turn.dialog.id, menu.delivery)
  if err then return nil, err end
  if row then menu.buried = true end
  return true
end

---Something else is sent, below what there is.
---@param turn table
function M.bury(turn)
  local menu = turn.dialog.state.__menu
  if menu then menu.buried = true end
end

---@param turn table
---@param plugin parley.Plugin
---@return {name: string, args: table|nil}|nil menu that is shown, when it is the plugin's
function M.of(turn, plugin)
  local menu = turn.dialog.state.__menu
  return menu and menu.plugin == plugin.name and { name = menu.name, args = menu.args } or nil
end

-- presses -----------------------------------------------------------------------------------------

local function target_of(menu, data)
  if data[BACK] then
    local last = menu.stack and menu.stack[#menu.stack]
    return last or { name = menu.name, args = menu.args }
  end
  return { name = data[OPEN], args = data[ARGS] }
end

local function is_again(tap, pressed)
  return tap ~= nil and tap.mark == pressed.mark and tap.key == pressed.key
    and pressed.at - tap.at < TAP_MS
end

---What the press of a menu's button asks for.
---@param turn table
---@return "stale"|"again"|"close"|"open"|"data"|nil kind nil: it is no such press; again: it was
---  taken a moment ago; data: it is for the plugin
---@return {name: string, args: table|nil}|nil menu to be shown
function M.press(turn)
  local message = turn.message
  local payload = message and message.type == "callback" and message.payload
  if not payload or not payload.menu then return nil end
  local menu = turn.dialog.state.__menu
  if not menu then return "stale" end
  local data = type(payload.data) == "table" and payload.data or {}
  local pressed = { mark = payload.menu, key = digest.short(data), at = turn.received_at }
  if is_again(menu.tap, pressed) then
    turn.menu_result = "again"
    return "again"
  end
  if menu.mark ~= payload.menu or menu.plugin ~= payload.plugin then
    return "stale", { name = menu.name, args = menu.args }
  end
  menu.tap, menu.id = pressed, payload.message_id
  if data[CLOSE] then return "close" end
  if data[BACK] or type(data[OPEN]) == "string" then return "open", target_of(menu, data) end
  return "data"
end

-- showing -----------------------------------------------------------------------------------------

-- A command begins anew; whatever else opens a menu leads on from the one there is.
local function stack_for(turn, plugin, action)
  local before, message = turn.menu_before, turn.message
  if not before or before.plugin ~= plugin.name then return nil end
  local text = message and message.text or ""
  if text:byte(1) == 47 then return nil end
  local stack = before.stack or {}
  if action.name == before.name then return before.stack end
  local out = {}
  for i, menu in ipairs(stack) do
    if menu.name == action.name then return #out > 0 and out or nil end
    out[i] = menu
  end
  out[#out + 1] = { name = before.name, args = before.args }
  if #out > DEPTH then table.remove(out, 1) end
  return out
end

-- What a button brings back; nil: it has nowhere to go.
local function data_of(button, stack)
  if button.menu then return { [OPEN] = button.menu, [ARGS] = button.args } end
  if button.close then return { [CLOSE] = true } end
  if not button.back then return button.data end
  if stack then return { [BACK] = true } end
  return type(button.back) == "string" and { [OPEN] = button.back } or nil
end

local function rows_of(rows, stack)
  local out = json.array()
  for _, row in ipairs(rows or {}) do
    local kept = json.array()
    for _, b in ipairs(row) do
      local data = data_of(b, stack)
      if data or not b.back then kept[#kept + 1] = { text = b.text, url = b.url, data = data } end
    end
    if #kept > 0 then out[#out + 1] = kept end
  end
  return out
end

-- The menu that this answer has shown already gives way to the next one.
local function withdraw(turn, out)
  local shown = turn.menu and turn.menu.action
  for i = #out, 1, -1 do
    if shown and out[i] == shown then table.remove(out, i) end
  end
  local menu, before = turn.dialog.state.__menu, turn.menu_before
  if shown and before and menu and menu.buried then before.buried = true end
  turn.menu = nil
end

local function is_same(turn, plugin, action, hash)
  local before = turn.menu_before
  if not before or before.plugin ~= plugin.name or before.name ~= action.name
    or before.hash ~= hash then
    return false
  end
  -- Who has asked for it is not sent away with nothing.
  return not (before.buried and (is_typed(turn.message) or turn.menu_asked))
end

---Carries out the action `menu` of a plugin.
---@param turn table gets `menu`: {action, edit = whether it takes the place of the one before}
---@param plugin parley.Plugin
---@param action table
---@param out table[] actions for the channel
function M.show(turn, plugin, action, out)
  withdraw(turn, out)
  local state, before = turn.dialog.state, turn.menu_before
  local stack = stack_for(turn, plugin, action)
  local rows = rows_of(action.buttons, stack)
  local hash = digest.short { action.text, action.format or "", action.entities or {}, rows }
  if is_same(turn, plugin, action, hash) then
    before.args, before.stack, state.__menu = action.args, stack, before
    turn.menu_result = turn.menu_result or "unchanged"
    return
  end
  local mark = crypto.base64url(crypto.random(3))
  for _, row in ipairs(rows) do
    for _, b in ipairs(row) do b.plugin = b.data and plugin.name .. "#" .. mark or nil end
  end
  local edit = before ~= nil and not before.buried
  state.__menu = {
    plugin = plugin.name, name = action.name, args = action.args, stack = stack, mark = mark,
    hash = hash, tap = before and before.tap, id = edit and before.id or nil,
  }
  local shown = {
    type = "send", text = action.text, format = action.format, entities = action.entities,
    buttons = #rows > 0 and rows or nil, menu = { name = action.name, edit = edit or nil },
  }
  turn.menu = { action = shown, edit = edit }
  turn.menu_result = turn.menu_result or (edit and "edited" or "sent")
  out[#out + 1] = shown
end

---Takes the menu away.
---@param turn table gets `menu`: {closed = true}
---@param out table[] actions for the channel
function M.close(turn, out)
  withdraw(turn, out)
  turn.dialog.state.__menu = nil
  if not turn.menu_before then return end
  turn.menu = { closed = true }
  turn.menu_result = turn.menu_result or "closed"
  out[#out + 1] = { type = "menu", close = true }
end

return M
