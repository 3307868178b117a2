-- Photos, documents and the like, alone or in albums, as calls of the Bot API.

local json = require "host.json"
local outgoing = require "parley.channels.telegram.outgoing"

local M = {}

local CAPTION_MAX = 1024

local METHODS = {
  photo = "sendPhoto", document = "sendDocument", voice = "sendVoice", audio = "sendAudio",
  video = "sendVideo", sticker = "sendSticker",
}
local IN_ALBUMS = { "photo", "video", "document", "audio" }

---@class parley.telegram.Pen
---@field pieces fun(action: table, max: integer): table[] its text, cut; none without a text
---@field add fun(method: string, params: table): table
---@field text fun(keyboard: table|nil) sends the text as messages of its own
---@field reply table|nil reply_parameters

-- A file of this host by its id, one of Telegram by its id there, or an address.
local function value_of(medium)
  return medium.file and outgoing.SCHEME .. medium.file or medium.id or medium.url
end

local function entities_of(piece)
  return #piece.entities > 0 and json.array(piece.entities) or nil
end

local function send_one(action, kind, keyboard, pen)
  local params = { [kind] = value_of(action[kind]), reply_parameters = pen.reply }
  local pieces = pen.pieces(action, CAPTION_MAX)
  if #pieces > 1 or #pieces == 1 and kind == "sticker" then
    pen.add(METHODS[kind], params)
    return pen.text(keyboard) -- a caption that is too long is a message of its own
  end
  if pieces[1] then
    params.caption, params.caption_entities = pieces[1].text, entities_of(pieces[1])
  end
  params.reply_markup = keyboard
  pen.add(METHODS[kind], params)
end

-- An album has no buttons: they are below the text, which then is a message of its own.
local function send_album(action, keyboard, pen)
  local items = json.array()
  for i, given in ipairs(action.album) do
    local item = {}
    for _, kind in ipairs(IN_ALBUMS) do
      if given[kind] then item.type, item.media = kind, value_of(given[kind]) end
    end
    local caption = pen.pieces(given, CAPTION_MAX)[1]
    if caption then item.caption, item.caption_entities = caption.text, entities_of(caption) end
    items[i] = item
  end
  local pieces = pen.pieces(action, CAPTION_MAX)
  local inside = #pieces == 1 and not keyboard and not items[1].caption
  if inside then
    items[1].caption, items[1].caption_entities = pieces[1].text, entities_of(pieces[1])
  end
  pen.add("sendMediaGroup", { media = items, reply_parameters = pen.reply })
  if not inside and #pieces > 0 then pen.text(keyboard) end
end

---Sends what is no text of an action.
---@param action table of type send
---@param keyboard table|nil reply_markup
---@param pen parley.telegram.Pen
---@return boolean sent false: the action is a text, or what comes before it
function M.send(action, keyboard, pen)
  if action.album then
    send_album(action, keyboard, pen)
    return true
  end
  for kind in pairs(METHODS) do
    if action[kind] then
      send_one(action, kind, keyboard, pen)
      return true
    end
  end
  local place, person, poll = action.location, action.contact, action.poll
  if place then
    pen.add("sendLocation", { latitude = place.latitude, longitude = place.longitude })
  elseif person then
    pen.add("sendContact", {
      phone_number = person.phone_number, first_name = person.first_name,
      last_name = person.last_name,
    })
  elseif poll then
    local options = json.array()
    for i, text in ipairs(poll.options) do options[i] = { text = text } end
    pen.add("sendPoll", {
      question = poll.question, options = options, is_anonymous = poll.anonymous ~= false,
      allows_multiple_answers = poll.multiple or nil, type = poll.correct and "quiz" or nil,
      correct_option_id = poll.correct and poll.correct - 1, explanation = poll.explanation,
    })
  end
  return false
end

return M
