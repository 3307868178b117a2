-- What a broadcast says: actions as those of a plugin, whose texts may be given by locale.

local actions = require "parley.schema.actions"
local address = require "parley.channels.telegram.address"
local json = require "host.json"
local render = require "parley.channels.telegram.render"

local M = {}

local ACTIONS_MAX = 5
local CALLS_MAX = 10 -- for each recipient
local LOCALES_MAX = 50

-- As long as an id can be: what fits there fits everywhere.
local LONGEST = -1009007199254740

local function fail(path, fmt, ...)
  local message = fmt:format(...)
  return nil, {
    code = "validation_failed", retryable = false, message = path .. ": " .. message,
    errors = { { path = path, code = "content", message = message } },
  }
end

-- The language of a locale: "uk" of "uk-UA".
local function language(locale) return locale:match "^%a+" end

---The text for a locale: as it is named, else in its language, else the default's.
---@param by_locale string|table<string, string>
---@param locale string|nil
---@param default string
---@return string|nil
local function text_for(by_locale, locale, default)
  if type(by_locale) ~= "table" then return by_locale end
  return locale and (by_locale[locale] or by_locale[language(locale) or ""]) or by_locale[default]
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

-- Calls fn(holder) for everything that has a text: the actions and their buttons.
local function each_text(list, fn)
  for _, action in ipairs(list) do
    fn(action)
    for _, row in ipairs(type(action.buttons) == "table" and action.buttons or {}) do
      for _, button in ipairs(type(row) == "table" and row or {}) do
        if type(button) == "table" then fn(button) end
      end
    end
  end
end

---The actions in one language.
---@param list table[] as they were given
---@param locale string|nil of the recipient
---@param default string
---@return table[]
function M.for_locale(list, locale, default)
  local out = copy(list)
  each_text(out, function(holder) holder.text = text_for(holder.text, locale, default) end)
  return out
end

---As calls of a recipient's channel. Buttons are signed for the dialog.
---@param list table[] of M.for_locale
---@param dialog_id string
---@param key string that signs buttons
---@return parley.telegram.Call[] calls in lane "broadcast"
---@return table[] kept data that does not fit into its button; what M.check has passed has none
function M.calls(list, dialog_id, key)
  local calls, kept = render.calls(list,
    { dialog_id = dialog_id, place = address.place(dialog_id), key = key })
  for _, call in ipairs(calls) do call.lane = "broadcast" end
  return calls, kept
end

local function check_by_locale(list, default)
  local problem
  local locales, n = { [default] = true }, 1
  each_text(list, function(holder)
    if type(holder.text) ~= "table" or problem then return end
    if holder.text[default] == nil then
      problem = ("a text by locale lacks the one in '%s', the locale of the broadcast")
        :format(default)
    end
    for locale, text in pairs(holder.text) do
      if type(locale) ~= "string" or not locale:find "^%a%a%a?[%-_%w]*$" then
        problem = "a text is a string, or an object of strings by locale"
      elseif type(text) ~= "string" then
        problem = ("the text in '%s' is no string"):format(locale)
      elseif not locales[locale] then
        locales[locale], n = true, n + 1
      end
    end
  end)
  if n > LOCALES_MAX then problem = ("more than %d locales"):format(LOCALES_MAX) end
  return not problem and locales or nil, problem
end

-- A press must come back to somebody.
local function check_buttons(list)
  for i, action in ipairs(list) do
    for _, row in ipairs(action.buttons or {}) do
      for _, button in ipairs(row) do
        if button.data and not button.plugin then
          return fail(("/actions/%d/buttons"):format(i - 1),
            "the button '%s' has data: 'plugin' must name the plugin that its press is for",
            button.text)
        end
      end
    end
  end
  return true
end

local function check_language(bot, list, locale)
  for i, action in ipairs(list) do
    local path = ("/actions/%d"):format(i - 1)
    if type(action) ~= "table" or action.type ~= "send" then
      return fail(path, "only actions of type 'send' can be broadcast")
    end
    local problem = actions.problem(action)
    if problem then return fail(path, "in '%s': %s", locale, problem) end
  end
  local ok, err = check_buttons(list)
  if not ok then return nil, err end
  local calls, kept = M.calls(list, address.dialog(bot, LONGEST), "")
  if #calls == 0 then return fail("/actions", "in '%s': there is nothing to send", locale) end
  if #calls > CALLS_MAX then
    return fail("/actions", "in '%s': %d messages for each recipient, at most %d are allowed",
      locale, #calls, CALLS_MAX)
  end
  -- Kept data would be a row for each recipient.
  if #kept > 0 then
    return fail("/actions", "the data of a button is too long: with the name of the plugin, about "
      .. "48 bytes as JSON travel with it")
  end
  return #calls
end

---Checks what is to be sent, in every language that it has.
---@param bot string
---@param list any
---@param default string locale
---@return integer|nil calls for each recipient, at most
---@return table|nil err "validation_failed"
function M.check(bot, list, default)
  if type(list) ~= "table" or #list == 0 then return fail("/actions", "a list is expected") end
  if #list > ACTIONS_MAX then
    return fail("/actions", "%d of them, at most %d are allowed", #list, ACTIONS_MAX)
  end
  for i, action in ipairs(list) do
    if type(action) ~= "table" then return fail("/actions/" .. i - 1, "an object is expected") end
  end
  local locales, problem = check_by_locale(list, default)
  if not locales then return fail("/actions", "%s", problem) end
  local most = 0
  for locale in pairs(locales) do
    local n, err = check_language(bot, M.for_locale(list, locale, default), locale)
    if not n then return nil, err end
    most = math.max(most, n)
  end
  return most
end

return M
