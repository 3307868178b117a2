-- The client of a sender: what it has to send may name files of this host, and edits that change
-- nothing are not sent.
--
-- A file goes to Telegram once: what Telegram calls it from then on is kept for the same bot and
-- the same content. What a message shows is kept as a hash, for as long as there is room; where
-- nothing is known Telegram says itself that an edit changes nothing, which is no failure either.

local business = require "parley.channels.telegram.business"
local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local split = require "parley.channels.telegram.split"
local time = require "host.time"

local M = {}
M.__index = M

-- What stands for a file of this host, where Telegram takes an id or an address.
M.SCHEME = "blob:"

local UPLOAD_S, BYTES_PER_S, UPLOAD_MAX_S = 30, 64 * 1024, 900
local CAPTION_MAX = 1024
local SHOWN_MAX = 4000 -- messages whose content is known, twice at most

-- The parameter that has the file.
local FIELDS = {
  sendPhoto = "photo", sendDocument = "document", sendVoice = "voice", sendAudio = "audio",
  sendVideo = "video", sendSticker = "sticker", sendAnimation = "animation",
  sendVideoNote = "video_note",
}

---@param deps {api: table, db: table, blobs: table, bot: string}
function M.new(deps)
  return setmetatable({
    bot = deps.bot, sender = "tg:" .. deps.bot, api = deps.api, db = deps.db, blobs = deps.blobs,
    shown = {}, older = {}, count = 0,
  }, M)
end

-- files -------------------------------------------------------------------------------------------

local KNOWN = "SELECT file_id FROM blob_files WHERE sender = $1 AND hash = $2 AND kind = $3"

local function failure(method, code, message, retryable)
  return nil, {
    code = code, message = method .. ": " .. message, retryable = retryable == true,
    op = "telegram",
  }
end

-- The places of a call that name files here: {holder, key, kind, id, number}; number: of the
-- message that it becomes.
local function places_of(method, params)
  local out = {}
  local function look(holder, key, kind, number)
    local value = holder[key]
    local id = type(value) == "string" and value:match("^" .. M.SCHEME .. "(.+)$")
    if id then
      out[#out + 1] = { holder = holder, key = key, kind = kind, id = id, number = number }
    end
  end
  if FIELDS[method] then
    look(params, FIELDS[method], FIELDS[method], 1)
  elseif method == "sendMediaGroup" then
    for i, item in ipairs(params.media) do look(item, "media", item.type, i) end
  end
  return out
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for key, v in pairs(value) do out[key] = copy(v) end
  return out
end

-- Finds out for each place what Telegram calls the file, or where it is here.
local function resolve(self, method, places, anew)
  for _, place in ipairs(places) do
    local blob, err = self.blobs:get(place.id)
    if err then return failure(method, "unavailable", err.message, true) end
    if not blob then
      return failure(method, "file", "a file that was to be sent is not kept any more")
    end
    place.blob = blob
    if not anew then
      local row
      row, err = self.db:first(KNOWN, self.sender, blob.hash, place.kind)
      if err then return failure(method, "unavailable", err.message, true) end
      place.file_id = row and row.file_id
    end
  end
  return true
end

-- Puts into the call what stands for each file; returns those that have to go with it.
local function fill(self, places)
  local files, bytes = {}, 0
  for i, place in ipairs(places) do
    local name = "file" .. i
    place.holder[place.key] = place.file_id or "attach://" .. name
    if not place.file_id then
      bytes = bytes + place.blob.size
      files[#files + 1] = {
        name = name, file = self.blobs:path(place.blob.hash), content_type = place.blob.type,
        filename = place.blob.name or place.kind,
      }
    end
  end
  return files, bytes
end

-- The id of the file in a message: of a photo, that of its largest size.
local function file_id_of(message, kind)
  local value = type(message) == "table" and message[kind]
  if kind == "photo" and type(value) == "table" then value = value[#value] end
  return type(value) == "table" and type(value.file_id) == "string" and value.file_id or nil
end

local REMEMBER = "INSERT INTO blob_files (sender, hash, kind, file_id, created_at) "
  .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sender, hash, kind) DO UPDATE SET "
  .. "file_id = excluded.file_id, created_at = excluded.created_at"

---Notes what Telegram calls a file.
---@param sender string
---@param hash string of its content
---@param kind string what it is sent as: photo, document, ...
---@param file_id string
---@return table statement
function M.remember(sender, hash, kind, file_id)
  return { REMEMBER, sender, hash, kind, file_id, time.now_ms() }
end

-- That it cannot be noted costs another upload, nothing else.
local function remember(self, places, result)
  local statements = {}
  for _, place in ipairs(places) do
    local message = json.is_array(result) and result[place.number] or result
    local id = not place.file_id and file_id_of(message, place.kind)
    if id then
      statements[#statements + 1] = M.remember(self.sender, place.blob.hash, place.kind, id)
    end
  end
  if #statements > 0 then self.db:commit(statements) end
end

local function names_known(places)
  for _, place in ipairs(places) do if place.file_id then return true end end
  return false
end

-- An id that Telegram gave does not last for ever.
local function is_forgotten(err)
  local said = err.code == "bad_request" and err.description or ""
  return said:find("file identifier", 1, true) or said:find("FILE_REFERENCE", 1, true)
end

local function send_files(self, method, given, anew)
  local params = copy(given)
  local places = places_of(method, params)
  local ok, err = resolve(self, method, places, anew)
  if not ok then return nil, err end
  local files, bytes = fill(self, places)
  local result
  if #files == 0 then
    result, err = self.api:call(method, params)
  else
    result, err = self.api:upload(method, params, files,
      math.min(UPLOAD_S + bytes / BYTES_PER_S, UPLOAD_MAX_S))
    meters.telegram_file(self.bot, "up", err and err.code, bytes)
  end
  if err and not anew and names_known(places) and is_forgotten(err) then
    return send_files(self, method, given, true)
  end
  if not err then remember(self, places, result) end
  return result, err
end

-- what is shown -----------------------------------------------------------------------------------

local SHOWN = {
  sendMessage = true, editMessageText = true, editMessageCaption = true,
  editMessageReplyMarkup = true,
}

-- What a call makes of the buttons and of the text, each as a hash; nil: it does not change it.
local function content_of(method, params)
  local function hash(...) return crypto.sha256(json.encode({ ... }, { sorted = true })) end
  local text
  if method ~= "editMessageReplyMarkup" then
    text = hash(params.text or params.caption or "",
      params.entities or params.caption_entities or 0)
  end
  local markup = params.reply_markup
  return { text = text, buttons = hash(markup and markup.inline_keyboard or 0) }
end

local function key_of(params, message_id)
  return ("%s/%s/%s"):format(params.business_connection_id or "", tostring(params.chat_id),
    tostring(message_id))
end

-- Two tables in turn, so that those that were not looked at for long go.
local function recall(self, key) return self.shown[key] or self.older[key] end

local function keep(self, key, content)
  if not self.shown[key] then self.count = self.count + 1 end
  self.shown[key] = content
  if self.count >= SHOWN_MAX then self.shown, self.older, self.count = {}, self.shown, 0 end
end

local function changes_nothing(before, content)
  return before ~= nil and before.buttons == content.buttons
    and (content.text == nil or before.text == content.text)
end

-- What is below a photo is a caption: whoever edits it need not know.
local function is_caption(err)
  return err.code == "bad_request"
    and (err.description or ""):find("no text in the message", 1, true) ~= nil
end

local function as_caption(params)
  local piece = split.pieces(params.text, params.entities, CAPTION_MAX)[1]
  return {
    chat_id = params.chat_id, message_id = params.message_id, reply_markup = params.reply_markup,
    business_connection_id = params.business_connection_id, caption = piece.text,
    caption_entities = #piece.entities > 0 and json.array(piece.entities) or nil,
  }
end

local function send_shown(self, method, params)
  local content = content_of(method, params)
  local before = params.message_id and recall(self, key_of(params, params.message_id))
  if changes_nothing(before, content) then return { message_id = tonumber(params.message_id) } end
  local result, err = self.api:call(method, params)
  if err and method == "editMessageText" and is_caption(err) then
    result, err = self.api:call("editMessageCaption", as_caption(params))
  end
  local id = type(result) == "table" and result.message_id or params.message_id
  local same = err and (err.description or ""):find("message is not modified", 1, true)
  if (not err or same) and id then
    content.text = content.text or before and before.text
    keep(self, key_of(params, id), content)
  elseif id then
    -- Nobody knows what it shows now.
    local key = key_of(params, id)
    self.shown[key], self.older[key] = nil, nil
  end
  return result, err
end

-- What was sent without buttons is rarely edited, and there is much of it: the first edit of such a
-- message goes out.
local function is_shown(method, params)
  if not SHOWN[method] then return false end
  local markup = params.reply_markup
  return method ~= "sendMessage" or markup ~= nil and markup.inline_keyboard ~= nil
end

---Calls a method.
---@param method string
---@param params table as of the Bot API, or with blob:ID where a file is expected
---@return any|nil result
---@return table|nil err as of parley.channels.telegram.api
function M:call(method, params)
  if is_shown(method, params) then return send_shown(self, method, params) end
  if FIELDS[method] or method == "sendMediaGroup" then
    return send_files(self, method, params, false)
  end
  return self.api:call(business.real(method, params))
end

return M
