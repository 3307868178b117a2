-- Sending, editing and deleting.

local failure = require "parley.sim.telegram.failure"
local json = require "host.json"
local markup = require "parley.sim.telegram.markup"
local pace = require "parley.sim.telegram.pace"
local params_of = require "parley.sim.telegram.params"

local M = {}

local TEXT_MAX, CAPTION_MAX = 4096, 1024
local DELETABLE_S = 48 * 3600

-- Where a message goes, and how.
local function destination(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id, p.business_connection_id)
  if not entry then return nil, err end
  local ok
  ok, err = markup.check_keyboard(p.reply_markup)
  if not ok then return nil, err end
  local reply
  local to = type(p.reply_parameters) == "table" and p.reply_parameters.message_id
    or p.reply_to_message_id
  if to then
    reply = entry.by_id[params_of.integer(to)]
    local anyway = type(p.reply_parameters) == "table"
      and params_of.flag(p.reply_parameters.allow_sending_without_reply)
    if not reply and not anyway then return failure.bad "message to be replied not found" end
  end
  local wait = pace.take(sim.limits, bot, entry, sim.world.clock())
  if wait > 0 then return failure.too_many(wait) end
  return entry, reply
end

local function put(sim, bot, p, entry, reply, content)
  content.reply_to_message = reply
  content.message_thread_id = params_of.integer(p.message_thread_id)
  if type(p.reply_markup) == "table" and p.reply_markup.inline_keyboard then
    content.reply_markup = p.reply_markup
  end
  local message = sim.world:put(entry, bot.user, content)
  -- A reply keyboard belongs to the chat, not to the message.
  if type(p.reply_markup) == "table" and not p.reply_markup.inline_keyboard then
    entry.keyboard = p.reply_markup.keyboard and p.reply_markup or nil
    sim.world:tell { type = "keyboard", chat_id = entry.chat.id, keyboard = entry.keyboard }
  end
  return message
end

function M.sendMessage(sim, bot, p)
  local ok, err = markup.check_text(p.text, p.entities, TEXT_MAX, "message text is empty")
  if not ok then return nil, err end
  if p.parse_mode then return failure.bad "the simulator knows entities, not parse_mode" end
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  return put(sim, bot, p, entry, reply, { text = p.text, entities = p.entities })
end

-- A file by its id, by URL, or uploaded.
local function file_of(sim, value, uploads, name)
  local attached = type(value) == "string" and value:match "^attach://(.+)$" or name
  local upload = uploads[attached]
  if upload then
    return sim.world:add_file(upload.content, { file_name = upload.name, mime_type = upload.mime })
  end
  if type(value) ~= "string" or value == "" then
    return failure.bad("there is no " .. name .. " in the request")
  end
  local known = sim.world.files[value]
  if known then return known.file end
  if value:find "^https?://" then
    return sim.world:add_file("from " .. value, { file_name = value:match "([^/]*)$" })
  end
  return failure.bad "wrong file identifier/HTTP URL specified"
end

-- What stands in Message for a file of each kind.
local function media(kind, file)
  if kind ~= "photo" then return file end
  return json.array {
    {
      file_id = file.file_id, file_unique_id = file.file_unique_id, file_size = file.file_size,
      width = 640, height = 480,
    },
  }
end

local function send_file(kind)
  return function(sim, bot, p, uploads)
    if p.caption ~= nil then
      local ok, err =
        markup.check_text(p.caption, p.caption_entities, CAPTION_MAX, "caption is empty")
      if not ok then return nil, err end
    end
    local file, err = file_of(sim, p[kind], uploads, kind)
    if not file then return nil, err end
    local entry, reply = destination(sim, bot, p)
    if not entry then return nil, reply end
    return put(sim, bot, p, entry, reply, {
      [kind] = media(kind, file), caption = p.caption, caption_entities = p.caption_entities,
    })
  end
end

for method, kind in pairs {
  sendPhoto = "photo", sendDocument = "document", sendAudio = "audio", sendVideo = "video",
  sendVoice = "voice", sendSticker = "sticker", sendAnimation = "animation",
  sendVideoNote = "video_note",
} do M[method] = send_file(kind) end

function M.sendMediaGroup(sim, bot, p, uploads)
  if type(p.media) ~= "table" or #p.media < 2 or #p.media > 10 then
    return failure.bad "group of 2 to 10 media expected"
  end
  local contents = {}
  for i, item in ipairs(p.media) do
    local file, err = file_of(sim, item.media, uploads, item.type)
    if not file then return nil, err end
    contents[i] = { [item.type] = media(item.type, file), caption = item.caption }
  end
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  local group, out = ("g%d"):format(entry.next_message), json.array()
  for i, content in ipairs(contents) do
    content.media_group_id = group
    out[i] = put(sim, bot, p, entry, reply, content)
  end
  return out
end

function M.sendLocation(sim, bot, p)
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  return put(sim, bot, p, entry, reply, {
    location = { latitude = tonumber(p.latitude), longitude = tonumber(p.longitude) },
  })
end

function M.sendContact(sim, bot, p)
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  return put(sim, bot, p, entry, reply, {
    contact = { phone_number = p.phone_number, first_name = p.first_name },
  })
end

function M.sendPoll(sim, bot, p)
  if type(p.options) ~= "table" or #p.options < 2 then
    return failure.bad "poll must have at least 2 option"
  end
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  return put(sim, bot, p, entry, reply, {
    poll = {
      id = ("poll-%d"):format(entry.next_message), question = p.question, options = p.options,
    },
  })
end

function M.sendChatAction(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id, p.business_connection_id)
  if not entry then return nil, err end
  if type(p.action) ~= "string" then return failure.bad "wrong parameter action in request" end
  sim.world:tell { type = "action", chat_id = entry.chat.id, action = p.action }
  return true
end

-- editing -----------------------------------------------------------------------------------------

local function own_message(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id, p.business_connection_id)
  if not entry then return nil, err end
  local message = entry.by_id[params_of.integer(p.message_id)]
  if not message then return failure.bad "message to edit not found" end
  if message.from ~= bot.user and message.sender_business_bot ~= bot.user then
    return failure.bad "message can't be edited"
  end
  return message, entry
end

-- Applies a change unless it changes nothing.
local function edit(sim, bot, p, change, same)
  local message, entry = own_message(sim, bot, p)
  if not message then return nil, entry end
  local ok, err = markup.check_keyboard(p.reply_markup)
  if not ok then return nil, err end
  local keyboard = type(p.reply_markup) == "table" and p.reply_markup or nil
  if same(message) and markup.same(message.reply_markup, keyboard) then
    return failure.bad("message is not modified: specified new message content and reply markup "
      .. "are exactly the same as a current content and reply markup of the message")
  end
  local wait = pace.take(sim.limits, bot, entry, sim.world.clock())
  if wait > 0 then return failure.too_many(wait) end
  change(message)
  message.reply_markup, message.edit_date = keyboard, sim.world:now()
  sim.world:tell { type = "edited", chat_id = entry.chat.id, message = message }
  return message
end

function M.editMessageText(sim, bot, p)
  local ok, err = markup.check_text(p.text, p.entities, TEXT_MAX, "message text is empty")
  if not ok then return nil, err end
  local message = own_message(sim, bot, p)
  if message and not message.text then
    return failure.bad "there is no text in the message to edit"
  end
  return edit(sim, bot, p, function(m) m.text, m.entities = p.text, p.entities end, function(m)
    return m.text == p.text and markup.same(m.entities, p.entities)
  end)
end

function M.editMessageCaption(sim, bot, p)
  return edit(sim, bot, p, function(m)
    m.caption, m.caption_entities = p.caption, p.caption_entities
  end, function(m)
    return m.caption == p.caption and markup.same(m.caption_entities, p.caption_entities)
  end)
end

function M.editMessageReplyMarkup(sim, bot, p)
  return edit(sim, bot, p, function() end, function() return true end)
end

function M.deleteMessage(sim, bot, p)
  local entry, err = sim.world:chat_for(bot, p.chat_id, p.business_connection_id)
  if not entry then return nil, err end
  local message = entry.by_id[params_of.integer(p.message_id)]
  if message and message.date + DELETABLE_S < sim.world:now() then
    return failure.bad "message can't be deleted for everyone"
  end
  if not sim.world:remove(entry, params_of.integer(p.message_id)) then
    return failure.bad "message to delete not found"
  end
  return true
end

-- deleteMessage knows no business.
function M.deleteBusinessMessages(sim, bot, p)
  local known = sim.world.connections[p.business_connection_id]
  if not known or known.bot ~= bot then return failure.bad "business connection not found" end
  if type(p.message_ids) ~= "table" or #p.message_ids == 0 then
    return failure.bad "message identifiers are not specified"
  end
  for _, entry in pairs(sim.world.chats) do
    if entry.connection == known.connection then
      for _, id in ipairs(p.message_ids) do sim.world:remove(entry, params_of.integer(id)) end
    end
  end
  return true
end

local function copied(sim, bot, p)
  local from, err = sim.world:chat_for(bot, p.from_chat_id)
  if not from then return nil, err end
  local source = from.by_id[params_of.integer(p.message_id)]
  if not source then return failure.bad "message to copy not found" end
  local content = {}
  for key, value in pairs(source) do content[key] = value end
  for _, key in ipairs { "message_id", "date", "chat", "from", "reply_markup", "edit_date" } do
    content[key] = nil
  end
  local entry, reply = destination(sim, bot, p)
  if not entry then return nil, reply end
  return put(sim, bot, p, entry, reply, content)
end

function M.copyMessage(sim, bot, p)
  local message, err = copied(sim, bot, p)
  if not message then return nil, err end
  return { message_id = message.message_id }
end

M.forwardMessage = copied

return M
