-- The data of buttons. Telegram brings back at most 64 bytes of the bot's own, and anybody can send
-- any: what comes back is believed when its signature is right, for the dialog that it was made in.
--
-- Data that fits travels in the button; what does not is kept in table `callbacks`, and its id
-- travels.

local crypto = require "host.crypto"
local json = require "host.json"

local M = {}

local MAX = 64
local MAC_BYTES = 9 -- 12 characters

local function mac(key, dialog_id, text)
  return crypto.base64url(crypto.hmac_sha256(key, dialog_id .. "\0" .. text):sub(1, MAC_BYTES))
end

---@param key string secret of this host
---@param dialog_id string
---@param button {plugin: string, data: table}
---@return string data for the button
---@return table|nil kept {id, plugin, data} to be stored, when it is too long to travel
function M.pack(key, dialog_id, button)
  local text = button.plugin .. " " .. json.encode(button.data, { sorted = true })
  if #text + 13 <= MAX then return "d" .. mac(key, dialog_id, text) .. text end
  local id = crypto.base64url(crypto.random(15))
  return "k" .. mac(key, dialog_id, id) .. id,
    { id = id, plugin = button.plugin, data = button.data }
end

---@param data any what came back
---@return {plugin: string, data: table}|{kept: string}|nil found nil: not made here, for this one
function M.unpack(key, dialog_id, data)
  if type(data) ~= "string" or #data < 14 then return nil end
  local form, given, text = data:sub(1, 1), data:sub(2, 13), data:sub(14)
  if not crypto.equal(given, mac(key, dialog_id, text)) then return nil end
  if form == "k" then return { kept = text } end
  local plugin, value = text:match "^(%S+) (.*)$"
  return { plugin = plugin, data = json.decode(value) }
end

-- What was kept for a button that is too small for it.
local function kept(db, dialog_id, id)
  local row, err = db:first("SELECT plugin, data FROM callbacks WHERE id = $1 AND dialog_id = $2",
    id, dialog_id)
  if row then row.data = json.decode(row.data) end
  return row, err
end

---Puts what a button brings back where a plugin looks for it; what was not made here is nothing.
---`payload.raw` stays until it is read.
---@param db table
---@param key string secret of this host
---@param dialog_id string
---@param message table of type callback; a plain button makes it the text that it says
---@return boolean|nil ok
---@return table|nil err the database could not be asked: the message is as it was
function M.read(db, key, dialog_id, message)
  local payload = message.payload
  local found = M.unpack(key, dialog_id, payload.raw)
  if found and found.kept then
    local err
    found, err = kept(db, dialog_id, found.kept)
    if err then return nil, err end
  end
  payload.raw = nil
  if found and found.plugin == "-" then
    message.type, message.text = "text", found.data.text
  elseif found then
    payload.plugin, payload.data = found.plugin, found.data
  end
  return true
end

return M
