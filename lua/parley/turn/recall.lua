-- What a dialog and its user were after their last turn on this host: a copy that spares the next
-- message its read.
--
-- The copy is a guess, because other hosts write, too. The commit finds out: it changes the dialog
-- only in the version that the copy has, and whoever changes a user changes that version as well.
-- Whether the message was answered before is not looked up either: the inbox takes it once. Whoever
-- has guessed wrong reads, and pays for a transaction that was rolled back, and so do those that
-- shared its group. So where the guesses are often wrong, the copies are only watched.

local json = require "host.json"
local meters = require "parley.ops.meters"

local M = {}
M.__index = M

-- One that is wrong costs about as much as this many that are right have spared.
local WRONG = 64
local MAX = 4 * WRONG -- what has been right for long can be wrong a few times in a row

---@param shelf table of host.shelf
function M.new(shelf)
  return setmetatable({ shelf = shelf, trust = WRONG }, M)
end

local function judge(self, right)
  self.trust = right and math.min(self.trust + 1, MAX) or math.max(self.trust - WRONG, -MAX)
end

-- Whether a message names this user, by what load.key_of looks at first.
local function is_of(who, id, telegram_id, external_id)
  if who.id then return who.id == id end
  if who.telegram_id then return who.telegram_id == telegram_id end
  return who.external_id == external_id
end

---The copy, when it is good enough to begin a turn with.
---@param turn table of a message
---@return {dialog: table, user: table}|nil loaded nil: it must be read
function M:find(turn)
  local id = turn.dialog_id
  local version, source, key, state, channel, locale, status, reset_version, last_message_at,
    user_id, telegram_id, external_id, role, users_locale, name, chosen_locale = self.shelf:get(id)
  -- The last message once more has an answer already.
  if not version or key == turn.key and source == turn.source then return nil end
  if not is_of(turn.message.user, user_id, telegram_id, external_id) then return nil end
  turn.copied_version = version
  if self.trust <= 0 then return nil end
  return {
    dialog = {
      id = id, version = version, state = json.decode(state), channel = channel, locale = locale,
      status = status, reset_version = reset_version, last_message_at = last_message_at,
      user_id = user_id,
    },
    user = {
      id = user_id, telegram_id = telegram_id, external_id = external_id, role = role,
      locale = users_locale, name = name, chosen_locale = chosen_locale,
    },
  }
end

---A turn has read what it could have guessed.
---@param turn table
---@param loaded {dialog: table, earlier: table|nil}
function M:compare(turn, loaded)
  if not turn.copied_version then return end
  judge(self, not loaded.earlier and loaded.dialog.version == turn.copied_version)
end

---A turn was attempted with the copy.
---@param dialog_id string
---@param right boolean whether it could be stored
function M:guessed(dialog_id, right)
  judge(self, right)
  meters.turns_recalled:with(right and "right" or "wrong"):inc()
  if not right then self:forget(dialog_id) end
end

---A turn is stored. A dialog that was held is not kept: its user may have been changed without it.
---@param turn table whose dialog is as it was stored
function M:keep(turn)
  local dialog, user = turn.dialog, turn.user
  if turn.leased or user.id ~= dialog.user_id then return self:forget(dialog.id) end
  local kept = self.shelf:put(dialog.id, dialog.version, turn.source, turn.key, turn.state_text,
    dialog.channel, dialog.locale, dialog.status, dialog.reset_version, dialog.last_message_at,
    user.id, user.telegram_id, user.external_id, user.role, turn.users_locale, user.name,
    user.chosen_locale)
  if not kept then self:forget(dialog.id) end
end

---@param dialog_id string that something else than a turn has changed
function M:forget(dialog_id) self.shelf:drop(dialog_id) end

function M:close() self.shelf:close() end

return M
