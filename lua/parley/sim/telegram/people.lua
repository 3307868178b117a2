-- What people do in Telegram, and what bots get to know of it.

local crypto = require "host.crypto"
local json = require "host.json"
local world = require "parley.sim.telegram.world"

local M = {}

local function fail(fmt, ...) return nil, fmt:format(...) end

local function bot_of(sim, name)
  local bot = sim.world.bots[name]
  if not bot then return fail("there is no bot '%s'", tostring(name)) end
  return bot
end

local function user_of(sim, id)
  local user = sim.world.users[tonumber(id)]
  if not user then return fail("there is no user %s", tostring(id)) end
  return user
end

-- In the chat of a business with a customer, whose id is `chat`, when it is not the customer who
-- writes.
local function business_place(sim, given, user)
  local known = sim.world.connections[given.business]
  if not known then return fail("there is no connection %s", tostring(given.business)) end
  local customer, problem = user_of(sim, given.chat or user.id)
  if not customer then return nil, problem end
  return sim.world:business(given.business, customer), user, known.bot
end

-- Where somebody writes: the group, the private chat with the bot, or that with a business.
local function place(sim, given)
  local user, problem = user_of(sim, given.user)
  if not user then return nil, problem end
  if given.business then return business_place(sim, given, user) end
  if given.chat and tonumber(given.chat) < 0 then
    local entry = sim.world.chats[tostring(given.chat)]
    if not entry then return fail("there is no chat %s", tostring(given.chat)) end
    return entry, user
  end
  local bot
  bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  return sim.world:private(bot, user), user, bot
end

-- Telegram marks commands itself; they begin at the beginning or after a space.
local function commands_in(text)
  local out = json.array()
  for at, word in text:gmatch "()(/[%w_@]+)" do
    if at == 1 or text:sub(at - 1, at - 1):find "%s" then
      local before = text:sub(1, at - 1)
      if not before:find "[\128-\255]" then
        out[#out + 1] = { type = "bot_command", offset = at - 1, length = #word }
      end
    end
  end
  return #out > 0 and out or nil
end

-- In a group a bot with privacy hears commands, and what answers it (Bot features, Privacy mode).
local function hears(bot, entry, message)
  if entry.chat.id > 0 or bot.user.can_read_all_group_messages then return true end
  local text = message.text or message.caption or ""
  local command, addressee = text:match "^/([%w_]+)@?([%w_]*)"
  if command then return addressee == "" or addressee == bot.user.username end
  if text:find("@" .. bot.user.username, 1, true) then return true end
  local to = message.reply_to_message
  return to ~= nil and to.from == bot.user
end

-- Tells the bots of a chat; returns how many heard of it.
local function tell(entry, bot, kind, value, message)
  local ids = json.array()
  local function to(b)
    if message and not hears(b, entry, message) then return end
    local update = world.update(b, kind, value)
    if update then ids[#ids + 1] = update.update_id end
  end
  if bot then
    to(bot)
  else
    for _, member in pairs(entry.members) do if type(member) == "table" then to(member) end end
  end
  return ids
end

-- Everything that a message may be, beside its text.
local CONTENT = {
  "photo", "voice", "audio", "video", "document", "sticker", "animation", "video_note", "location",
  "contact", "poll", "dice", "venue", "web_app_data", "successful_payment", "new_chat_members",
  "left_chat_member", "caption", "media_group_id", "quote", "forward_origin", "is_topic_message",
}
local FILES = {
  photo = true, voice = true, audio = true, video = true, document = true, sticker = true,
  animation = true, video_note = true,
}

local function content_of(sim, given)
  local out = {
    text = given.text, entities = given.entities or given.text and commands_in(given.text),
  }
  for _, key in ipairs(CONTENT) do
    local value = given[key]
    if value ~= nil and FILES[key] then
      -- { content = text or base64 = bytes, ... }, or a file that there is
      local content = value.base64 and crypto.unbase64(value.base64) or value.content
      local file = value.file_id and value
        or sim.world:add_file(content or "a file of the simulator", value)
      file.content, file.base64 = nil, nil
      if key == "photo" then
        file.width, file.height = file.width or 640, file.height or 480
        value = json.array { file }
      else
        value = file
      end
    end
    out[key] = value
  end
  out.message_thread_id = given.thread
  return out
end

---Somebody writes, or sends something.
---@param given table user, bot or chat; text, photo, ...; reply_to, thread
---@return table|nil result {message, update_ids}
---@return string|nil problem
function M.send(sim, given)
  local entry, user, bot = place(sim, given)
  if not entry then return nil, user end
  if bot then entry.blocked[bot.user.id] = nil end -- writing to a bot unblocks it
  local content = content_of(sim, given)
  if given.reply_to then
    content.reply_to_message = entry.by_id[tonumber(given.reply_to)]
    if not content.reply_to_message then
      return fail("there is no message %s", tostring(given.reply_to))
    end
  end
  local message = sim.world:put(entry, user, content)
  local kind = entry.connection and "business_message" or "message"
  return { message = message, update_ids = tell(entry, bot, kind, message, message) }
end

---A business connects a bot, so that it answers the customers.
---@param given table bot, user: whose the business is, enabled
function M.business(sim, given)
  local user, problem = user_of(sim, given.user)
  if not user then return nil, problem end
  local bot
  bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  local connection = sim.world:connect(bot, user, given)
  sim.world:private(bot, user)
  world.update(bot, "business_connection", connection)
  return connection
end

---Somebody sends several things as one: an album.
function M.album(sim, given)
  if type(given.items) ~= "table" or #given.items == 0 then return fail "items: a list expected" end
  local group, out = ("album-%d"):format(sim.world.next_query), json.array()
  sim.world.next_query = sim.world.next_query + 1
  for i, item in ipairs(given.items) do
    local one = {}
    for key, value in pairs(given) do one[key] = value end
    for key, value in pairs(item) do one[key] = value end
    one.items, one.media_group_id = nil, group
    local result, problem = M.send(sim, one)
    if not result then return nil, problem end
    out[i] = result
  end
  return { messages = out }
end

---Somebody changes what they wrote.
function M.edit(sim, given)
  local entry, user, bot = place(sim, given)
  if not entry then return nil, user end
  local message = entry.by_id[tonumber(given.message_id)]
  if not message or message.from ~= user then
    return fail "there is no such message of this user"
  end
  message.text, message.edit_date = given.text, sim.world:now()
  message.entities = commands_in(given.text or "")
  sim.world:tell { type = "edited", chat_id = entry.chat.id, message = message }
  local kind = entry.connection and "edited_business_message" or "edited_message"
  return { update_ids = tell(entry, bot, kind, message, message) }
end

local function query_of(sim, bot, entry)
  local id = tostring(4000000000 + sim.world.next_query)
  sim.world.next_query = sim.world.next_query + 1
  sim.world.queries[id] = { bot = bot, at = sim.world.clock(), chat_id = entry and entry.chat.id }
  return id
end

local function button_of(message, given)
  local rows = message.reply_markup and message.reply_markup.inline_keyboard or {}
  for r, row in ipairs(rows) do
    for c, b in ipairs(row) do
      if (tonumber(given.row) == r and tonumber(given.column) == c)
        or (given.button and b.text == given.button)
        or (given.data and b.callback_data == given.data) then
        return b
      end
    end
  end
end

---Somebody presses a button of a message: by row and column, its text, or its data.
function M.press(sim, given)
  local entry, user = place(sim, given)
  if not entry then return nil, user end
  local message = entry.by_id[tonumber(given.message_id)]
  if not message then return fail("there is no message %s", tostring(given.message_id)) end
  local button = button_of(message, given)
  -- A client that has not seen the last edit presses what is not there any more.
  local data = button and button.callback_data or given.stale
  if not data then return fail "there is no such button, or it asks no bot" end
  local bot
  local author = message.sender_business_bot or message.from
  for _, b in pairs(sim.world.bots) do if b.user == author then bot = b end end
  if not bot then return fail "the message is not of a bot" end
  local id = query_of(sim, bot, entry)
  local ids = tell(entry, bot, "callback_query", {
    id = id, from = user, message = message, data = data,
    chat_instance = tostring(entry.chat.id * 7919),
  })
  return { callback_query_id = id, update_ids = ids }
end

---Somebody puts a reaction to a message.
function M.react(sim, given)
  local entry, user, bot = place(sim, given)
  if not entry then return nil, user end
  local function list(emoji)
    return json.array(emoji and { { type = "emoji", emoji = emoji } } or {})
  end
  return {
    update_ids = tell(entry, bot, "message_reaction", {
      chat = entry.chat, message_id = tonumber(given.message_id), user = user,
      date = sim.world:now(),
      old_reaction = list(given.before), new_reaction = list(given.emoji),
    }),
  }
end

-- What a bot learns about itself in a chat.
local function membership(sim, entry, user, bot, before, after)
  return tell(entry, bot, "my_chat_member", {
    chat = entry.chat, from = user, date = sim.world:now(),
    old_chat_member = { user = bot.user, status = before },
    new_chat_member = { user = bot.user, status = after },
  })
end

---Somebody blocks a bot, or takes it back.
function M.block(sim, given)
  local entry, user, bot = place(sim, given)
  if not entry then return nil, user end
  local blocked = given.blocked ~= false
  entry.blocked[bot.user.id] = blocked or nil
  return {
    update_ids = membership(sim, entry, user, bot, blocked and "member" or "kicked",
      blocked and "kicked" or "member"),
  }
end

---A bot is added to a group, or removed from it.
function M.invite(sim, given)
  local user, problem = user_of(sim, given.user)
  if not user then return nil, problem end
  local bot
  bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  local entry = sim.world.chats[tostring(given.chat)]
  if not entry then return fail("there is no chat %s", tostring(given.chat)) end
  local before, after = "left", "member"
  if given.leave then before, after = after, before end
  entry.members[bot.user.id] = after == "member" and bot or nil
  return { update_ids = membership(sim, entry, user, bot, before, after) }
end

---A group becomes a supergroup.
function M.migrate(sim, given)
  local entry = sim.world.chats[tostring(given.chat)]
  if not entry then return fail("there is no chat %s", tostring(given.chat)) end
  local old = entry.chat.id
  local id = sim.world:migrate(entry)
  local user = select(2, next(sim.world.users))
  local message = sim.world:put(entry, user, { migrate_to_chat_id = id })
  tell(entry, nil, "message", message)
  local after = sim.world.chats[tostring(id)]
  local notice = sim.world:put(after, user, { migrate_from_chat_id = old })
  return { chat = id, update_ids = tell(after, nil, "message", notice) }
end

---Any update at all, as it is given: kinds that have no action of their own.
function M.update(sim, given)
  local bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  local kind, value = next(type(given.update) == "table" and given.update or {})
  if not kind then return fail "update: an object with one member expected" end
  if type(value) == "table" and (kind == "inline_query" or kind:find "_query$") then
    value.id = value.id or query_of(sim, bot)
  end
  local update = world.update(bot, kind, value)
  return { update_ids = json.array { update and update.update_id } }
end

---The last updates of a bot once more, in the order that is given: duplicates, and out of order.
---@param given table bot, updates: list of whole updates
function M.again(sim, given)
  local bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  for _, update in ipairs(given.updates or {}) do sim.webhooks:again(bot, update) end
  return { updates = #(given.updates or {}) }
end

---Many messages of many people, for loads.
---@param given table bot, users: how many, messages: of each, text
function M.flood(sim, given)
  local bot, problem = bot_of(sim, given.bot)
  if not bot then return nil, problem end
  local first = given.first_user or 2000000
  for n = 1, tonumber(given.messages) or 1 do
    for i = 1, tonumber(given.users) or 1 do
      local user = sim.world.users[first + i] or sim.world:add_user { id = first + i }
      local entry = sim.world:private(bot, user)
      local text = ("%s %d"):format(given.text or "hello", n)
      local message = {
        message_id = entry.next_message, date = sim.world:now(), chat = entry.chat, from = user,
        text = text, entities = commands_in(text),
      }
      entry.next_message = entry.next_message + 1
      world.update(bot, "message", message)
    end
  end
  return { pending = world.pending(bot) }
end

return M
