-- What is in a message: as a type of the contract, with its payload, or the name of what has none.

local shape = require "parley.channels.telegram.update.shape"

local M = {}

local TEXT_MAX = 16384 - 3
local ID_MAX, NAME_MAX, ENTITIES_MAX = 256, 512, 200

-- Most telling first: an animation is a document, too, and a venue a location.
local MEDIA = {
  "photo", "live_photo", "voice", "audio", "animation", "video", "sticker", "video_note",
  "document", "venue", "location", "contact",
}
-- Types of the contract, where Telegram has another word.
local TYPES = {
  animation = "video", video_note = "video", live_photo = "video", venue = "location",
}

-- What has no type of its own: such a message is an event, telegram.message.NAME, and comes whole.
local NAMED = {
  "poll", "dice", "game", "story", "paid_media", "checklist", "checklist_tasks_done",
  "checklist_tasks_added", "rich_message", "invoice", "successful_payment", "refunded_payment",
  "web_app_data", "users_shared", "chat_shared", "new_chat_members", "left_chat_member",
  "chat_owner_left", "chat_owner_changed", "new_chat_title", "new_chat_photo",
  "delete_chat_photo", "group_chat_created", "supergroup_chat_created", "channel_chat_created",
  "message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id",
  "pinned_message", "connected_website", "write_access_allowed", "passport_data",
  "proximity_alert_triggered", "boost_added", "chat_background_set", "forum_topic_created",
  "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened",
  "general_forum_topic_hidden", "general_forum_topic_unhidden", "giveaway_created", "giveaway",
  "giveaway_winners", "giveaway_completed", "gift", "gift_upgrade_sent", "unique_gift",
  "paid_message_price_changed", "direct_message_price_changed", "suggested_post_approved",
  "suggested_post_approval_failed", "suggested_post_declined", "suggested_post_paid",
  "suggested_post_refunded", "video_chat_scheduled", "video_chat_started", "video_chat_ended",
  "video_chat_participants_invited", "managed_bot_created", "poll_option_added",
  "poll_option_deleted", "community_chat_added", "community_chat_removed",
}

local function id(v) return shape.id(v, ID_MAX) end
local function name(v) return shape.text(v, NAME_MAX) end

local FIELDS = {
  file_id = id, file_unique_id = id, file_size = shape.integer, file_name = name, mime_type = name,
  width = shape.integer, height = shape.integer, duration = shape.integer, emoji = name,
  set_name = name, is_animated = shape.flag, is_video = shape.flag, title = name, performer = name,
  address = name, latitude = shape.number, longitude = shape.number,
  horizontal_accuracy = shape.number, live_period = shape.integer, heading = shape.integer,
  phone_number = id, first_name = name, last_name = name, user_id = shape.integer,
  vcard = function(v) return shape.text(v, 2048) end,
}

local function add_fields(out, value)
  if not shape.object(value) then return end
  for key, read in pairs(FIELDS) do
    if value[key] ~= nil then out[key] = read(value[key]) end
  end
end

local function media(kind, value)
  local out = { kind = kind }
  if kind == "photo" then value = value[#value] end -- the largest of its sizes
  if kind == "venue" then add_fields(out, value.location) end
  add_fields(out, value)
  return out
end

local function entities(list)
  list = shape.object(list)
  if not list or #list == 0 or #list > ENTITIES_MAX then return nil end
  return list
end

-- "/start@shop_bot ref": the command, what stands behind it, and whose it is.
local function command(text, list)
  local first = list and shape.object(list[1])
  if not first or first.type ~= "bot_command" or first.offset ~= 0 then return nil end
  local word, bot, rest = text:match "^/([%w_]+)@?([%w_]*)(.*)$"
  if not word then return nil end
  return { command = word, bot = bot ~= "" and bot or nil, args = rest:match "^%s*(.-)%s*$" }, rest
end

local function of_text(message, username)
  local text, list = shape.text(message.text, TEXT_MAX), entities(message.entities)
  if not text then return nil end
  local found, rest = command(text, list)
  if not found then
    return { type = "text", text = text, payload = list and { entities = list } }
  end
  -- Before the bot knows its own name, a command is rather for it than for nobody.
  if found.bot and username and found.bot:lower() ~= username:lower() then return nil end
  -- https://t.me/BOT?start=PAYLOAD, which Telegram sends as a command.
  if found.command == "start" and found.args ~= "" then found.deep_link = found.args end
  return { type = "command", text = "/" .. found.command .. rest, payload = found }
end

---@param message table Message of the Bot API
---@param username string|nil of the bot
---@return {type: string, text: string|nil, payload: table|nil}|nil content
---@return string|nil name of what has no type, "message" where nobody knows it; nil without
---  content: there is nothing in it, or a command for another bot
function M.read(message, username)
  if message.text ~= nil then return of_text(message, username) end
  for _, kind in ipairs(MEDIA) do
    local value = shape.object(message[kind])
    if value then
      local payload = media(kind, value)
      payload.group = id(message.media_group_id)
      payload.entities = entities(message.caption_entities)
      return {
        type = TYPES[kind] or kind, text = shape.text(message.caption, TEXT_MAX), payload = payload,
      }
    end
  end
  for _, kind in ipairs(NAMED) do
    if message[kind] ~= nil then return nil, "message." .. kind end
  end
  return nil, "message"
end

return M
