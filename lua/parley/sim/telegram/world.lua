-- What Telegram knows: bots, people, chats with their messages, and the updates that bots have not
-- taken yet. Nothing here waits, and nothing here speaks HTTP.

local failure = require "parley.sim.telegram.failure"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local EVENTS_MAX = 10000 -- kept for those who watch

-- What a bot gets that has not asked for more (Bot API, getUpdates, allowed_updates).
local NOT_BY_DEFAULT = {
  chat_member = true, message_reaction = true, message_reaction_count = true,
}

---@param clock (fun(): number)|nil seconds since the epoch; a spec may own it
function M.new(clock)
  return setmetatable({
    clock = clock or function() return time.now_ms() / 1000 end,
    bots = {}, by_token = {}, users = {}, chats = {}, files = {}, queries = {},
    next_user = 1000001, next_bot = 7000001, next_group = 1, next_file = 1, next_query = 1,
    connections = {}, next_connection = 1, -- of businesses with bots
    events = {}, last_event = 0, watched = task.cond(),
  }, M)
end

function M:now() return math.floor(self.clock()) end

-- What has happened, for those who watch: the page, specs.
function M:tell(event)
  self.last_event = self.last_event + 1
  event.n = self.last_event
  self.events[event.n], self.events[event.n - EVENTS_MAX] = event, nil
  self.watched:broadcast()
end

---@param after integer number of the last event that is known, 0: none
---@return table[] events
function M:events_after(after)
  local out = json.array()
  for n = math.max(after, self.last_event - EVENTS_MAX) + 1, self.last_event do
    out[#out + 1] = self.events[n]
  end
  return out
end

-- people and bots ---------------------------------------------------------------------------------

---@param given {token: string|nil, username: string|nil, name: string|nil, privacy: boolean|nil}
function M:add_bot(given)
  local id = given.token and tonumber(given.token:match "^(%d+):") or self.next_bot
  self.next_bot = math.max(self.next_bot, id) + 1
  local bot = {
    token = given.token or ("%d:sim-%d"):format(id, id),
    updates = {}, first = 1, last = 0, -- not taken yet: updates[first .. last], in order
    delivered = {}, -- those of them that the webhook has, while earlier ones are not forgotten
    next_update = 100000001, taken = task.cond(), wanted = nil, commands = {}, texts = {},
    user = {
      id = id, is_bot = true, first_name = given.name or given.username or "Bot " .. id,
      username = given.username or ("sim_%d_bot"):format(id), can_join_groups = true,
      can_read_all_group_messages = given.privacy == false, supports_inline_queries = true,
    },
  }
  self.bots[bot.user.username], self.by_token[bot.token] = bot, bot
  return bot
end

---@param given {id: integer|nil, first_name: string|nil, username: string|nil,
---  language_code: string|nil}
function M:add_user(given)
  local id = tonumber(given.id) or self.next_user
  self.next_user = math.max(self.next_user, id) + 1
  local user = {
    id = id, is_bot = false, first_name = given.first_name or "User " .. id,
    last_name = given.last_name, username = given.username,
    language_code = given.language_code or "en",
  }
  self.users[id] = user
  return user
end

-- chats -------------------------------------------------------------------------------------------

local function chat_entry(self, key, chat)
  local entry = {
    chat = chat, messages = {}, by_id = {}, next_message = 1, members = {}, blocked = {},
    paces = {}, reactions = {}, -- of bots, by the numbers of messages
  }
  self.chats[key] = entry
  return entry
end

-- A private chat is one of a bot and a person; a group is one for all.
local function private_key(bot, user_id) return bot.user.id .. ":" .. user_id end

---The private chat of a bot and a person; it begins when the person begins it.
function M:private(bot, user)
  local key = private_key(bot, user.id)
  return self.chats[key] or chat_entry(self, key, {
    id = user.id, type = "private", first_name = user.first_name, username = user.username,
  })
end

---@param given {type: string|nil, title: string|nil, users: integer[]|nil, bots: string[]|nil,
---  is_forum: boolean|nil}
function M:add_group(given)
  local id = -self.next_group
  self.next_group = self.next_group + 1
  if given.type == "supergroup" then id = -1000000000000 + id end
  local entry = chat_entry(self, tostring(id), {
    id = id, type = given.type or "group", title = given.title or "Group " .. -id,
    is_forum = given.is_forum,
  })
  for _, user_id in ipairs(given.users or {}) do entry.members[user_id] = true end
  for _, name in ipairs(given.bots or {}) do
    entry.members[self.bots[name].user.id] = self.bots[name]
  end
  return entry
end

---A business lets a bot answer its customers.
---@param given {enabled: boolean|nil}
---@return table BusinessConnection
function M:connect(bot, owner, given)
  local connection = {
    id = ("SimBusinessConnection-%05d"):format(self.next_connection), user = owner,
    user_chat_id = owner.id, date = self:now(), is_enabled = given.enabled ~= false,
    rights = { can_reply = true },
  }
  self.next_connection = self.next_connection + 1
  self.connections[connection.id] = { bot = bot, connection = connection }
  return connection
end

---The chat of a business with a customer; a bot sees it by the connection only.
---@param connection_id string
---@param customer table User
function M:business(connection_id, customer)
  local key = connection_id .. ":" .. customer.id
  local entry = self.chats[key] or chat_entry(self, key, {
    id = customer.id, type = "private", first_name = customer.first_name,
  })
  entry.connection = self.connections[connection_id].connection
  return entry
end

local function business_chat_for(self, bot, chat_id, connection_id)
  local known = self.connections[connection_id]
  if not known or known.bot ~= bot or not known.connection.is_enabled then
    return failure.bad "business connection not found"
  end
  local entry = self.chats[("%s:%s"):format(connection_id, tostring(chat_id))]
  if entry then return entry end
  return failure.bad "business peer not found"
end

---Where a bot may write, as Telegram sees it.
---@param connection_id string|nil of a business
---@return table|nil entry
---@return parley.sim.Failure|nil
function M:chat_for(bot, chat_id, connection_id)
  if connection_id then return business_chat_for(self, bot, chat_id, connection_id) end
  local id = tonumber(chat_id)
  if not id then return failure.bad "chat not found" end
  local entry = self.chats[id > 0 and private_key(bot, id) or tostring(id)]
  if not entry then
    if self.users[id] then
      return failure.forbidden "bot can't initiate conversation with a user"
    end
    return failure.bad "chat not found"
  end
  if entry.migrated_to then
    return failure.bad("group chat was upgraded to a supergroup chat",
      { migrate_to_chat_id = entry.migrated_to })
  end
  if entry.blocked[bot.user.id] then
    return failure.forbidden(id > 0 and "bot was blocked by the user"
      or "bot was kicked from the " .. entry.chat.type .. " chat")
  end
  if id > 0 and self.users[id].deactivated then
    return failure.forbidden "user is deactivated"
  end
  if id < 0 and not entry.members[bot.user.id] then
    return failure.forbidden "bot is not a member of the group chat"
  end
  return entry
end

---A group becomes a supergroup: writing to the old id is refused from now on.
---@return integer id of the supergroup
function M:migrate(entry)
  local new = self:add_group { type = "supergroup", title = entry.chat.title }
  new.members = entry.members
  entry.migrated_to = new.chat.id
  return new.chat.id
end

-- messages ----------------------------------------------------------------------------------------

---Puts a message into a chat.
---@param entry table of the chat
---@param from table User
---@param content table the fields of Message that are its content
---@return table message
function M:put(entry, from, content)
  local message = {
    message_id = entry.next_message, date = self:now(), chat = entry.chat, from = from,
  }
  local connection = entry.connection
  if connection then
    message.business_connection_id = connection.id
    -- A bot writes there in the name of the business.
    if from.is_bot then message.from, message.sender_business_bot = connection.user, from end
  end
  entry.next_message = entry.next_message + 1
  for key, value in pairs(content) do message[key] = value end
  if entry.listener then -- of a load, which keeps nothing
    entry.listener(message)
    return message
  end
  entry.messages[#entry.messages + 1] = message
  entry.by_id[message.message_id] = message
  self:tell { type = "message", chat_id = entry.chat.id, message = message }
  return message
end

---@return boolean there was one
function M:remove(entry, message_id)
  local message = entry.by_id[message_id]
  if not message then return false end
  entry.by_id[message_id] = nil
  for i, m in ipairs(entry.messages) do
    if m == message then table.remove(entry.messages, i) break end
  end
  self:tell { type = "deleted", chat_id = entry.chat.id, message_id = message_id }
  return true
end

-- files -------------------------------------------------------------------------------------------

---@param content string
---@param more table further fields of the file's object: width, mime_type, file_name
---@return table file {file_id, file_unique_id, file_size, ...}
function M:add_file(content, more)
  local n = self.next_file
  self.next_file = n + 1
  local file = { file_id = "SIM-FILE-" .. n, file_unique_id = "U" .. n, file_size = #content }
  for key, value in pairs(more or {}) do file[key] = value end
  self.files[file.file_id] = {
    file = file, content = content,
    path = ("files/%d/%s"):format(n, more and more.file_name or "x"),
  }
  return file
end

-- updates -----------------------------------------------------------------------------------------

---Whether the bot has asked for updates of this kind.
function M.wants(bot, kind)
  if not bot.wanted or #bot.wanted == 0 then return not NOT_BY_DEFAULT[kind] end
  for _, name in ipairs(bot.wanted) do if name == kind then return true end end
  return false
end

---Gives a bot an update, which it has from getUpdates or its webhook.
---@param bot table
---@param kind string message, callback_query, ...
---@param value table
---@return table|nil update nil: the bot does not want this kind
function M.update(bot, kind, value)
  if not M.wants(bot, kind) then return nil end
  local update = { update_id = bot.next_update, [kind] = value }
  bot.next_update = bot.next_update + 1
  M.enqueue(bot, update)
  return update
end

---@param update table with its update_id
function M.enqueue(bot, update)
  bot.last = bot.last + 1
  bot.updates[bot.last] = update
  bot.taken:broadcast()
end

---Forgets what the bot has taken.
---@param offset integer the first update that it has not
function M.confirm(bot, offset)
  while bot.first <= bot.last and bot.updates[bot.first].update_id < offset do
    bot.updates[bot.first] = nil
    bot.first = bot.first + 1
  end
end

---Whether Telegram takes an update for done: only then it may come once more out of its order.
---@param bot table
---@param update table
function M.has_taken(bot, update)
  if bot.delivered[update] then return true end
  for i = bot.first, bot.last do
    if bot.updates[i] == update then return false end
  end
  return true
end

---@return integer how many updates the bot has not taken
function M.pending(bot) return bot.last - bot.first + 1 end

return M
