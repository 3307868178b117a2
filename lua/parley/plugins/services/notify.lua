-- notify: a plugin says something to another user than the one it answers. It is stored with the
-- turn as a job of that user's dialog, and said there in order with what happens in it.

local address = require "parley.channels.telegram.address"
local chats = require "parley.channels.telegram.sending.chats"
local gate = require "parley.plugins.gate"
local json = require "host.json"
local say = require "parley.turn.say"

local NOTICES_MAX = 20 -- of one event

local FIND = "SELECT id, telegram_id FROM users WHERE id = $1"
local FIND_DIALOG = "SELECT id, status FROM dialogs WHERE id = $1"
local FIND_NEWEST = "SELECT id, status FROM dialogs WHERE user_id = $1 AND channel = $2 "
  .. "ORDER BY last_message_at DESC LIMIT 1"

-- The dialog of a user with the bot that this dialog is with; of a channel without bots the newest.
local function dialog_of(invocation, user)
  local place = address.place(invocation.dialog_id)
  if not place then
    return invocation.db:first(FIND_NEWEST, user.id, invocation.dialog.channel)
  end
  if not user.telegram_id then return nil end
  return invocation.db:first(FIND_DIALOG, address.dialog(place.bot, user.telegram_id))
end

local function check(invocation, user_id, list)
  if type(user_id) ~= "string" or not user_id:find "^[%w-]+$" or #user_id > 64 then
    return gate.refuse("invalid", "notify: the id of a user expected")
  end
  local problem = say.problem(list)
  local text = not problem and json.encode(list)
  if not text then return gate.refuse("invalid", "notify: %s", problem or "no JSON") end
  local limit = invocation.manifest.limits.reply_bytes
  if #text > limit then
    return gate.refuse("too_large", "notify: %d bytes, at most %d are allowed "
      .. "(limits.reply_bytes)", #text, limit)
  end
  if #invocation.notices >= NOTICES_MAX then
    return gate.refuse("quota", "notify: more than %d in one event", NOTICES_MAX)
  end
  return true
end

local function run(invocation, user_id, list)
  local ok, err = check(invocation, user_id, list)
  if not ok then return nil, err end
  local user, dialog
  user, err = invocation.db:first(FIND, user_id)
  if err then return nil, err end
  if not user then return gate.refuse("user_not_found", "notify: no user has this id") end
  dialog, err = dialog_of(invocation, user)
  if err then return nil, err end
  if not dialog then
    return gate.refuse("no_dialog", "notify: the user has not written here yet")
  end
  if dialog.id == invocation.dialog_id then
    return gate.refuse("invalid", "notify: this is the user's own dialog: c:reply")
  end
  local closed
  closed, err = chats.closed(invocation.db, dialog.id)
  if err then return nil, err end
  if closed then return gate.refuse("blocked", "notify: the chat of the user is %s", closed) end
  table.insert(invocation.notices, { dialog_id = dialog.id, actions = list })
  return true
end

gate.register("notify", { permission = "notify", run = run })
