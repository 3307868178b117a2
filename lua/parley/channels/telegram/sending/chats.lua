-- Chats that a bot can write to no more, or elsewhere only: rows of `chats`.

local address = require "parley.channels.telegram.address"

local M = {}

-- What Telegram's refusals (403) say of a chat. Whatever else is forbidden is `blocked`, too: until
-- the person writes again, nothing gets there.
local STATES = {
  { "user is deactivated", "deactivated" }, { "bot was kicked", "left" },
  { "is not a member", "left" }, { "chat was deleted", "left" },
}

---@param description string of the refusal
---@return "blocked"|"deactivated"|"left" state
function M.state(description)
  for _, known in ipairs(STATES) do
    if description:find(known[1], 1, true) then return known[2] end
  end
  return "blocked"
end

---What is known of a chat.
---@param db table
---@param sender string
---@param chat_id integer
---@return {state: string, migrated_to: integer|nil}|nil row nil: nothing that keeps anybody from it
---@return table|nil err
function M.find(db, sender, chat_id)
  return db:first("SELECT state, migrated_to FROM chats WHERE sender = $1 AND chat_id = $2", sender,
    chat_id)
end

---Whether the person of a dialog cannot be written to any more.
---@param db table
---@param dialog_id string of any channel
---@return string|false|nil state "blocked", "deactivated" or "left"; false: nothing is known of it
---@return table|nil err
function M.closed(db, dialog_id)
  local place = address.place(dialog_id)
  if not place or place.business then return false end
  local row, err = M.find(db, "tg:" .. place.bot, place.chat_id)
  if err then return nil, err end
  return row ~= nil and row.state ~= "migrated" and row.state
end

---@param sender string
---@param chat_id integer
---@param state "blocked"|"deactivated"|"left"|"migrated"
---@param migrated_to integer|nil
---@param at_ms integer
---@return table statement
function M.note(sender, chat_id, state, migrated_to, at_ms)
  return {
    "INSERT INTO chats (sender, chat_id, state, migrated_to, changed_at) "
      .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sender, chat_id) DO UPDATE SET "
      .. "state = excluded.state, migrated_to = excluded.migrated_to, "
      .. "changed_at = excluded.changed_at",
    sender, chat_id, state, migrated_to, at_ms, n = 5,
  }
end

---It can be written to: a message has arrived there, or came from there.
---@param sender string
---@param chat_id integer
---@return table statement
function M.clear(sender, chat_id)
  return {
    "DELETE FROM chats WHERE sender = $1 AND chat_id = $2 AND state <> 'migrated'", sender, chat_id,
  }
end

-- What a bot is in a chat that it can write to.
local OPEN = { member = true, administrator = true, creator = true }

---The chats of which updates say that the bot can write to them again: its person has taken the
---block back, a group has let it in.
---@param updates table[] of the Bot API
---@return integer[] chat_ids
function M.reopened(updates)
  local out = {}
  for _, update in ipairs(updates) do
    local m = type(update) == "table" and update.my_chat_member
    local now = type(m) == "table" and m.new_chat_member
    local id = type(now) == "table" and OPEN[now.status] and type(m.chat) == "table" and m.chat.id
    if type(id) == "number" then out[#out + 1] = id end
  end
  return out
end

return M
