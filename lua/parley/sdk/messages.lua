-- What a plugin may say: the table of c:reply and its kind, checked at the author's line and made
-- into an action.

local check = parley.check
local misuse = check.misuse

local TEXT_MAX = 16384 -- characters, as parley.schema.actions has it

local MESSAGE = {
  text = "any", format = "string", entities = "table", buttons = "table", keyboard = "table",
  photo = "table", document = "table", voice = "table", audio = "table", video = "table",
  sticker = "table", location = "table", contact = "table", album = "table", poll = "table",
  reply_to = "string", lane = "string", silent = "boolean",
}
local BUTTON = { text = "string", data = "table", url = "string", plugin = "string" }

-- What may stand in the place of a text.
local CONTENT = {
  "photo", "document", "voice", "audio", "video", "sticker", "location", "contact", "album", "poll",
}

local M = {}

---Whether it is a parley.text().
function M.is_built(v)
  return type(v) == "table" and getmetatable(v) == false and rawget(v, "parts") ~= nil
end

---@return string text
function M.text(what, text)
  if type(text) ~= "string" then
    misuse("%s: text expected, got %s", what, text == nil and "nothing" or type(text))
  end
  -- A character has four bytes at most: what is longer need not be counted.
  if #text > 4 * TEXT_MAX or #text > TEXT_MAX and (utf8.len(text) or #text) > TEXT_MAX then
    misuse("%s: the text has more than %d characters (%d bytes): cut it, or send it as a file "
      .. "(c.files:put)", what, TEXT_MAX, #text)
  end
  return text
end

-- A press that nobody takes would be answered by the fallback plugin.
local function check_press(what, b)
  if b.data.__talk ~= nil or check.registered.takes(b.data) then return end
  local fields = {}
  for name, value in pairs(b.data) do
    fields[#fields + 1] = ("%s = %s"):format(check.show(name), type(value))
  end
  table.sort(fields)
  misuse("%s: nobody takes the press of the button '%s': there is no p.on.callback for { %s }",
    what, b.text, table.concat(fields, ", "))
end

---@param what string for messages
---@param b any
---@param known table<string, string> fields that it may have
function M.button(what, b, known)
  if type(b) ~= "table" then
    misuse("%s: a button is a table, { text = ..., data = { ... } }, got %s", what, type(b))
  end
  check.fields(what .. ": a button", b, known)
  if b.text == nil then misuse("%s: a button has no text", what) end
  if b.data then check_press(what, b) end
end

---@param known table<string, string>|nil default: those of a message's buttons
function M.rows(what, rows, known)
  if #rows == 0 and next(rows) ~= nil then
    misuse("%s: buttons are a list of rows, and a row is a list: { { { text = ... } } }", what)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or row.text ~= nil then
      misuse("%s: row %d of the buttons is no list of buttons: { { { text = ... } } }", what, i)
    end
    for _, b in ipairs(row) do M.button(what, b, known or BUTTON) end
  end
end

local function has_content(action)
  for _, kind in ipairs(CONTENT) do if action[kind] ~= nil then return true end end
  return false
end

---@param what string name of the method, for messages
---@param type_name "send"|"edit"
---@param given any a text, parley.text(), or a table
---@return table action
function M.action(what, type_name, given)
  if type(given) == "number" then given = tostring(given) end
  if type(given) ~= "table" then return { type = type_name, text = M.text(what, given) } end
  if M.is_built(given) then given = given:reply() end
  local action = { type = type_name }
  check.fields(what, given, MESSAGE)
  for k, v in pairs(given) do action[k] = v end
  if M.is_built(action.text) then
    for k, v in pairs(action.text:reply()) do action[k] = v end
  end
  if action.text ~= nil or not has_content(action) then M.text(what, action.text) end
  if action.buttons then M.rows(what, action.buttons) end
  return action
end

parley.messages = M
