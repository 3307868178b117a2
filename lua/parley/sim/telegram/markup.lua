-- What Telegram checks of texts, entities and keyboards before it takes them.

local failure = require "parley.sim.telegram.failure"
local json = require "host.json"
local utf16 = require "parley.util.utf16"

local M = {}

local ENTITIES = {}
for _, name in ipairs {
  "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bold", "italic",
  "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre",
  "text_link", "text_mention", "custom_emoji",
} do ENTITIES[name] = true end

local function check_entity(text, e)
  if type(e) ~= "table" or not ENTITIES[e.type] then return "unsupported entity" end
  if type(e.offset) ~= "number" or type(e.length) ~= "number" then return "no offset or length" end
  local part = utf16.part(text, e.offset, e.length)
  if not part then
    return ("entity begins or ends in the middle of a character, or outside of the text, "
      .. "at %d + %d"):format(e.offset, e.length)
  end
  if part == "" then return "empty entity" end
  if e.type == "text_link" and type(e.url) ~= "string" then return "text_link without url" end
end

---@param text any
---@param entities any
---@param max integer UTF-16 units
---@param empty string what is said of an empty text
---@return boolean|nil ok
---@return parley.sim.Failure|nil
function M.check_text(text, entities, max, empty)
  if type(text) ~= "string" or not text:find "%S" then return failure.bad(empty) end
  if utf16.length(text) > max then
    return failure.bad(max == 4096 and "message is too long" or "message caption is too long")
  end
  if entities ~= nil then
    if type(entities) ~= "table" then return failure.bad "can't parse entities JSON object" end
    for _, e in ipairs(entities) do
      local problem = check_entity(text, e)
      if problem then return failure.bad("can't parse entities: " .. problem) end
    end
  end
  return true
end

local ACTIONS = {
  "url", "callback_data", "web_app", "login_url", "switch_inline_query",
  "switch_inline_query_current_chat", "copy_text", "pay",
}

local function check_button(b)
  if type(b) ~= "table" or type(b.text) ~= "string" or b.text == "" then
    return "text buttons can't be empty"
  end
  local n = 0
  for _, name in ipairs(ACTIONS) do
    if b[name] ~= nil and b[name] ~= json.null then n = n + 1 end
  end
  if n ~= 1 then return "text buttons must have exactly one of the optional fields" end
  if b.callback_data and (#b.callback_data < 1 or #b.callback_data > 64) then
    return "BUTTON_DATA_INVALID"
  end
  if b.url and not b.url:find "^%a[%w+.-]*:" then return "BUTTON_URL_INVALID" end
end

---@param markup any reply_markup
---@return boolean|nil ok
---@return parley.sim.Failure|nil
function M.check_keyboard(markup)
  if markup == nil then return true end
  if type(markup) ~= "table" then
    return failure.bad "object expected as reply markup"
  end
  local rows = markup.inline_keyboard or markup.keyboard
  if rows == nil then return true end -- remove_keyboard, force_reply
  if type(rows) ~= "table" then return failure.bad "keyboard rows must be an Array" end
  local buttons = 0
  for _, row in ipairs(rows) do
    if type(row) ~= "table" then return failure.bad "keyboard row must be an Array" end
    for _, button in ipairs(row) do
      buttons = buttons + 1
      if markup.inline_keyboard then
        local problem = check_button(button)
        if problem then return failure.bad(problem) end
      elseif type(button) == "table" and (type(button.text) ~= "string" or button.text == "") then
        return failure.bad "keyboard button text must be non-empty"
      end
    end
  end
  if buttons > 100 and markup.inline_keyboard then
    return failure.bad "REPLY_MARKUP_TOO_LONG"
  end
  return true
end

---Whether two values say the same.
function M.same(a, b)
  local function text(v) return json.encode(v or json.null, { sorted = true }) end
  return text(a) == text(b)
end

return M
