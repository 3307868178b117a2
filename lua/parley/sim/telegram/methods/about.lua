-- What is about the bot, its commands, callbacks, files and chats.

local failure = require "parley.sim.telegram.failure"
local json = require "host.json"
local params_of = require "parley.sim.telegram.params"

local M = {}

local QUERY_S = 15 -- how long a callback may wait for its answer, as Telegram's apps show it

function M.getMe(_, bot) return bot.user end

function M.logOut() return true end

function M.getBusinessConnection(sim, bot, p)
  local known = sim.world.connections[p.business_connection_id]
  if known and known.bot == bot then return known.connection end
  return failure.bad "business connection not found"
end

M.close = M.logOut

-- Commands belong to a scope and a language.
local function place_of(p)
  local scope = type(p.scope) == "table" and p.scope or { type = "default" }
  return ("%s|%s|%s"):format(scope.type, tostring(scope.chat_id or ""), p.language_code or "")
end

function M.setMyCommands(sim, bot, p)
  if type(p.commands) ~= "table" or #p.commands > 100 then
    return failure.bad "expected an Array of at most 100 commands"
  end
  for _, c in ipairs(p.commands) do
    if type(c.command) ~= "string" or not c.command:find "^[%l%d_]+$" or #c.command > 32 then
      return failure.bad "BOT_COMMAND_INVALID"
    end
    if type(c.description) ~= "string" or #c.description < 1 or #c.description > 1024 then
      return failure.bad "BOT_COMMAND_DESCRIPTION_INVALID"
    end
  end
  bot.commands[place_of(p)] = p.commands
  sim.world:tell { type = "commands", bot = bot.user.username }
  return true
end

function M.getMyCommands(_, bot, p) return bot.commands[place_of(p)] or json.array() end

function M.deleteMyCommands(_, bot, p)
  bot.commands[place_of(p)] = nil
  return true
end

-- Texts about the bot, by language.
for _, name in ipairs { "Name", "Description", "ShortDescription" } do
  local field = name == "ShortDescription" and "short_description" or name:lower()
  M["setMy" .. name] = function(_, bot, p)
    bot.texts[field .. (p.language_code or "")] = p[field]
    return true
  end
  M["getMy" .. name] = function(_, bot, p)
    return { [field] = bot.texts[field .. (p.language_code or "")] or "" }
  end
end

function M.answerCallbackQuery(sim, bot, p)
  local query = sim.world.queries[p.callback_query_id]
  if not query or query.bot ~= bot or query.answered
    or sim.world.clock() - query.at > QUERY_S then
    return failure.bad "query is too old and response timeout expired or query ID is invalid"
  end
  if p.text and #p.text > 200 * 4 then return failure.bad "MESSAGE_TOO_LONG" end
  query.answered = true
  sim.world:tell {
    type = "callback_answer", callback_query_id = p.callback_query_id, text = p.text, url = p.url,
    show_alert = params_of.flag(p.show_alert), chat_id = query.chat_id,
  }
  return true
end

-- Each may be answered once.
local function answer(kind)
  return function(sim, bot, p)
    local id = p.inline_query_id or p.pre_checkout_query_id or p.shipping_query_id
    local query = sim.world.queries[id]
    if not query or query.bot ~= bot or query.answered then
      return failure.bad "query is too old and response timeout expired or query ID is invalid"
    end
    query.answered = true
    sim.world:tell { type = kind, query_id = id, ok = p.ok, results = p.results }
    return true
  end
end

M.answerInlineQuery = answer "inline_answer"
M.answerPreCheckoutQuery = answer "checkout_answer"
M.answerShippingQuery = answer "shipping_answer"

function M.getFile(sim, _, p)
  local known = sim.world.files[p.file_id]
  if not known then return failure.bad "invalid file_id" end
  if known.file.file_size > 20 * 1024 * 1024 then return failure.bad "file is too big" end
  local out = { file_path = known.path }
  for key, value in pairs(known.file) do out[key] = value end
  return out
end

function M.getChat(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id)
  return entry and entry.chat, err
end

function M.getChatMember(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id)
  if not entry then return nil, err end
  local user = sim.world.users[params_of.integer(p.user_id)]
  if not user then return failure.bad "user not found" end
  local inside = entry.chat.id == user.id or entry.members[user.id]
  return { user = user, status = inside and "member" or "left" }
end

function M.leaveChat(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id)
  if not entry then return nil, err end
  entry.members[bot.user.id] = nil
  return true
end

function M.setMessageReaction(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id)
  if not entry then return nil, err end
  if not entry.by_id[params_of.integer(p.message_id)] then
    return failure.bad "message to react not found"
  end
  entry.reactions[params_of.integer(p.message_id)] = p.reaction
  sim.world:tell {
    type = "reaction", chat_id = entry.chat.id, message_id = params_of.integer(p.message_id),
    reaction = p.reaction,
  }
  return true
end

return M
