-- "/reset", "reset dialog", "обновить диалог", "оновити діалог": a person starts their dialog anew.
-- It is the host's own command, before any plugin, so that there is always a way out.
--
-- It does what POST /dialogs/{id}/reset does: the context, the conversation and the menu go, the
-- rows stay, and `reset_version` says which of them are history. The command itself and its answer
-- belong to what is over.

local json = require "host.json"
local notices = require "parley.turn.notices"
local record = require "parley.turn.record"
local text = require "parley.nlu.text"

local M = {}

local PHRASES = {}
for _, phrase in ipairs { "reset dialog", "обновить диалог", "оновити діалог" } do
  PHRASES[text.normalise(phrase)] = true
end
local LONGEST = 64 -- bytes of what may be one of them

local function is_meant(message)
  local said = message.text
  if not said or message.type ~= "text" and message.type ~= "command" then return false end
  if said:byte(1) == 47 then return said:match "^/(%w+)" == "reset" and not said:find "^/reset_" end
  -- Two words: others are not worth folding.
  return #said <= LONGEST and said:find "^%s*%S+%s+%S+%s*$" ~= nil
    and PHRASES[text.normalise(said)] == true
end

---@param turn table its dialog is as new when this answers
---@param generation parley.Generation
---@return parley.Part[]|nil parts nil: the message asks for nothing of the kind
function M.answer(turn, generation)
  if not generation.config.reset_command or not is_meant(turn.message) then return nil end
  local dialog = turn.dialog
  turn.status, turn.history_version = "reset", dialog.reset_version
  turn.keyboard = dialog.state.__keyboard and {}
  dialog.state, dialog.status = {}, "active"
  dialog.reset_version = dialog.reset_version + 1
  record.event(turn, "core", "dialog_reset", "info", { dialog_id = dialog.id, reason = "command" })
  return { { actions = json.array {
    { type = "menu", close = true },
    {
      type = "send", text = notices.text("reset", turn.user.locale),
      keyboard = turn.keyboard and { remove = true } or nil,
    },
  } } }
end

return M
