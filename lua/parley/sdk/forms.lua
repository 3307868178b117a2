-- Questions of a conversation: c:ask, c:choose, c:confirm. They wait for the answer, say what is
-- wrong with it, and ask again until it is right.

local C, conversation, check = parley.methods, parley.conversation, parley.check
local misuse, messages = check.misuse, parley.messages
local wait, fold = conversation.wait, conversation.fold

local TEXT_MAX = conversation.TEXT_MAX
local CHOICES_MAX = 100

local TEXTS = {
  text = {
    en = "Please write a few words.", ru = "Пожалуйста, напишите словами.",
    uk = "Будь ласка, напишіть словами.",
  },
  int = {
    en = "Please give a whole number.", ru = "Пожалуйста, укажите целое число.",
    uk = "Будь ласка, вкажіть ціле число.",
  },
  number = {
    en = "Please give a number.", ru = "Пожалуйста, укажите число.",
    uk = "Будь ласка, вкажіть число.",
  },
  min = {
    en = "Please give at least {limit}.", ru = "Пожалуйста, не меньше {limit}.",
    uk = "Будь ласка, не менше {limit}.",
  },
  max = {
    en = "Please give at most {limit}.", ru = "Пожалуйста, не больше {limit}.",
    uk = "Будь ласка, не більше {limit}.",
  },
  date = {
    en = "Please give a date, like 24.12.2030.",
    ru = "Пожалуйста, укажите дату, например 24.12.2030.",
    uk = "Будь ласка, вкажіть дату, наприклад 24.12.2030.",
  },
  time = {
    en = "Please give a time, like 14:30.",
    ru = "Пожалуйста, укажите время, например 14:30.",
    uk = "Будь ласка, вкажіть час, наприклад 14:30.",
  },
  email = {
    en = "Please give an e-mail address, like ann@example.com.",
    ru = "Пожалуйста, укажите адрес почты, например ann@example.com.",
    uk = "Будь ласка, вкажіть адресу пошти, наприклад ann@example.com.",
  },
  phone = {
    en = "Please give a phone number, like +44 20 7946 0000.",
    ru = "Пожалуйста, укажите номер телефона, например +44 20 7946 0000.",
    uk = "Будь ласка, вкажіть номер телефону, наприклад +44 20 7946 0000.",
  },
  match = {
    en = "That does not look right. Please try once more.",
    ru = "Что-то не так. Попробуйте, пожалуйста, ещё раз.",
    uk = "Щось не так. Спробуйте, будь ласка, ще раз.",
  },
  choose = {
    en = "Please choose one of these.", ru = "Пожалуйста, выберите из этих.",
    uk = "Будь ласка, виберіть із цих.",
  },
  yes = { en = "Yes", ru = "Да", uk = "Так" },
  no = { en = "No", ru = "Нет", uk = "Ні" },
}

local function text_of(c, key, limit)
  local texts = TEXTS[key]
  local text = texts[(c.locale or "en"):match "^%a+"] or texts.en
  return limit and (text:gsub("{limit}", tostring(limit))) or text
end

-- kinds of answers --------------------------------------------------------------------------------

local function number(text)
  text = text:gsub("%s", ""):gsub(",", ".")
  if not text:find "^[+-]?%d+%.?%d*$" and not text:find "^[+-]?%.%d+$" then return nil end
  return tonumber(text)
end

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(y, m, d)
  if m < 1 or m > 12 or d < 1 then return false end
  local leap = y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)
  return d <= (m == 2 and leap and 29 or DAYS[m])
end

---What an answer means, by kind: the value, or nil.
local KINDS = {
  text = function(text) return text ~= "" and text or nil end,
  number = number,
  int = function(text)
    local n = number(text)
    return n and n % 1 == 0 and n or nil
  end,
  date = function(text)
    local y, m, d = text:match "^(%d%d%d%d)%-(%d%d?)%-(%d%d?)$"
    if not y then d, m, y = text:match "^(%d%d?)%.(%d%d?)%.(%d%d%d%d)$" end
    if not y or not is_date(tonumber(y), tonumber(m), tonumber(d)) then return nil end
    return ("%04d-%02d-%02d"):format(y, m, d)
  end,
  time = function(text)
    local h, m = text:match "^(%d%d?)[:.](%d%d)$"
    if not h or tonumber(h) > 23 or tonumber(m) > 59 then return nil end
    return ("%02d:%02d"):format(h, m)
  end,
  email = function(text)
    return #text <= 254 and text:find "^[^%s@<>]+@[%w%-]+%.[%w%.%-]*%w$" and text or nil
  end,
  phone = function(text)
    local digits = text:gsub("[%s%-%(%)]", "")
    return digits:find "^%+?%d%d%d%d%d%d%d+$" and #digits <= 16 and digits or nil
  end,
}

local OPTIONS = {
  as = "string", min = "number", max = "number", match = "string", check = "function",
  retry = "string", timeout = "number", any = "boolean", columns = "number",
}

local function check_options(what, o)
  if o == nil then return {} end
  if type(o) ~= "table" then misuse("%s: a table of options expected, got %s", what, type(o)) end
  for key, value in pairs(o) do
    if not OPTIONS[key] then
      misuse("%s: there is no option '%s'%s", what, check.show(key), check.hint(key, OPTIONS))
    end
    if type(value) ~= OPTIONS[key] then
      misuse("%s: option '%s': a %s expected, got %s", what, key, OPTIONS[key], type(value))
    end
  end
  if o.as and not KINDS[o.as] then
    misuse("%s: as = '%s': text, int, number, date, time, email or phone expected", what, o.as)
  end
  if o.timeout and not (o.timeout > 0 and o.timeout <= 366 * 86400) then
    misuse("%s: timeout: seconds expected, at most a year", what)
  end
  return o
end

-- A question as an action: text, a built text, or a table as for c:reply.
local function question_of(what, question)
  if messages.is_built(question) then return question:reply() end
  if type(question) == "string" then return { text = question } end
  if type(question) ~= "table" or type(question.text) ~= "string" then
    misuse("%s: the text of the question expected, got %s", what, type(question))
  end
  local out = {}
  for key, value in pairs(question) do out[key] = value end
  return out
end

-- What has been written, or shared.
local function text_in(message, kind)
  local payload = message.payload
  if kind == "phone" and message.type == "contact" and payload and payload.phone_number then
    return tostring(payload.phone_number)
  end
  local text = (message.text or ""):gsub("^%s+", ""):gsub("%s+$", "")
  return #text <= TEXT_MAX and text or ""
end

-- What is wrong with the value itself, as the name of a text.
local function out_of_bounds(o, kind, text, value)
  if o.match and not text:find(o.match) then return "match" end
  local measure = type(value) == "number" and value
  if kind == "text" then measure = utf8.len(text) or #text end
  if not measure then return nil end
  if o.min and measure < o.min then return "min", o.min end
  if o.max and measure > o.max then return "max", o.max end
end

-- The value of an answer; or nil, and what to say.
local function value_of(c, o, message)
  local value, wrong, limit, problem
  if o.any then
    value = message
  else
    local kind = o.as or "text"
    local text = text_in(message, kind)
    value = KINDS[kind](text)
    if value == nil then wrong = kind else wrong, limit = out_of_bounds(o, kind, text, value) end
  end
  if not wrong and o.check then
    local checked
    checked, problem = o.check(value, message)
    if not checked then wrong = "match" elseif checked ~= true then value = checked end
  end
  if not wrong then return value end
  return nil, problem or o.retry or text_of(c, wrong, limit)
end

---Asks, and waits for the answer: seconds or months, over restarts and new versions.
---@param question string|table text, parley.text(), or a table as for c:reply
---@param o table|nil as = "text"|"int"|"number"|"date"|"time"|"email"|"phone"; min, max (of a
---  number, or of the length of a text); match: a pattern;
---  check = function(value, message) -> value, true, or nil and what to say; retry: what to say;
---  timeout: seconds; any: the whole message, whatever it is
---@return any|nil value
---@return string|nil err "timeout"
function C:ask(question, o)
  check.context(self, "ask")
  o = check_options("ask", o)
  local action = question_of("ask", question)
  self:reply(action)
  while true do
    local message = wait(self, "ask " .. action.text,
      { timeout = o.timeout, open = true, whole = o.any })
    if not message then return nil, "timeout" end
    local value, problem = value_of(self, o, message)
    if value ~= nil then return value end
    self:reply(problem)
  end
end

-- Choices as {text, value}.
local function choices_of(choices)
  if type(choices) ~= "table" or #choices == 0 or #choices > CHOICES_MAX then
    misuse("choose: a list of 1 to %d choices expected", CHOICES_MAX)
  end
  local out = {}
  for i, choice in ipairs(choices) do
    if type(choice) ~= "table" then choice = { text = tostring(choice), value = choice } end
    if type(choice.text) ~= "string" then misuse("choose: choice %d has no text", i) end
    local value = choice.value
    if value == nil then value = choice.text end
    out[i] = { text = choice.text, value = value }
  end
  return out
end

local function rows_of(c, choices, columns)
  local rows, talk = {}, c._talk
  for i, choice in ipairs(choices) do
    local at = math.floor((i - 1) / columns) + 1
    rows[at] = rows[at] or {}
    rows[at][#rows[at] + 1] = {
      text = choice.text, data = { __talk = talk.id, at = talk.player.at, v = i },
    }
  end
  return rows
end

local function chosen(choices, message)
  if message.type == "callback" then
    return choices[message.payload.data.v]
  end
  local text = fold(message.text or "")
  for _, choice in ipairs(choices) do
    if fold(choice.text) == text then return choice end
  end
  return text:find "^%d+$" and choices[tonumber(text)] or nil
end

---Asks with buttons; the answer may be typed, too: a label, or its number.
---@param question string|table
---@param choices (string|number|{text: string, value: any})[]
---@param o table|nil columns (1), retry, timeout
---@return any|nil value
---@return string|nil err "timeout"
function C:choose(question, choices, o)
  check.context(self, "choose")
  o = check_options("choose", o)
  choices = choices_of(choices)
  local action = question_of("choose", question)
  local what = "choose " .. action.text
  if not self._talk then wait(self, what, {}) end
  while true do
    action.buttons = rows_of(self, choices, o.columns or 1)
    self:reply(action)
    local message = wait(self, what, { timeout = o.timeout, open = true })
    if not message then return nil, "timeout" end
    local choice = chosen(choices, message)
    if choice then return choice.value end
    action = { text = o.retry or text_of(self, "choose") }
  end
end

---A question with yes and no, in the user's language.
---@param question string|table
---@param o table|nil yes, no: other words; retry, timeout
---@return boolean|nil answer
---@return string|nil err "timeout"
function C:confirm(question, o)
  check.context(self, "confirm")
  if o ~= nil and type(o) ~= "table" then
    misuse("confirm: a table of options expected, got %s", type(o))
  end
  local own = {}
  for key, value in pairs(o or {}) do own[key] = value end
  local yes, no = own.yes or text_of(self, "yes"), own.no or text_of(self, "no")
  own.yes, own.no, own.columns = nil, nil, own.columns or 2
  return self:choose(question, { { text = yes, value = true }, { text = no, value = false } }, own)
end
