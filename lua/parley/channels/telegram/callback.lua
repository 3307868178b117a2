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

return M
