-- notify: a plugin says something to another user than the one it answers. It is stored with the
-- turn as a job of that user's dialog, and said there in order with what happens in it.

local address = require "parley.channels.telegram.address"
local chats = require "parley.channels.telegram.sending.chats"
local gate = require "parley.plugins.gate"
local json = require "host.json"
local reach = require "parley.turn.reach"
local say = require "parley.turn.say"

local NOTICES_MAX = 20 -- of one event
local REFUSED = { user_not_found = true, no_dialog = true }

local function check(invocation, user_id, list)
  if type(user_id) ~= "string" then
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
  local place = address.place(invocation.dialog_id)
  local dialog_id
  dialog_id, err = reach.dialog(invocation.db, user_id,
    { bot = place and place.bot, channel = invocation.dialog.channel })
  if not dialog_id then
    if REFUSED[err.code] then return gate.refuse(err.code, "notify: %s", err.message) end
    return nil, err
  end
  if dialog_id == invocation.dialog_id then
    return gate.refuse("invalid", "notify: this is the user's own dialog: c:reply")
  end
  local closed
  closed, err = chats.closed(invocation.db, dialog_id)
  if err then return nil, err end
  if closed then return gate.refuse("blocked", "notify: the chat of the user is %s", closed) end
  table.insert(invocation.notices, { dialog_id = dialog_id, actions = list })
  return true
end

gate.register("notify", { permission = "notify", run = run })
