-- The words of the doctor, in the languages that people read.

local M = {}

local LANGUAGES = {
  en = require "parley.channels.telegram.doctor.words.en",
  ru = require "parley.channels.telegram.doctor.words.ru",
  uk = require "parley.channels.telegram.doctor.words.uk",
}

---@param language string|nil of `en`, `ru`, `uk`; others are English
---@return fun(key: string, args: table): string|nil nil: there is no such key
function M.of(language)
  local words = LANGUAGES[language] or LANGUAGES.en
  return function(key, args)
    local text = words[key]
    return text and (text:gsub("{(%w+)}", function(name) return tostring(args[name]) end))
  end
end

---The language of a request.
---@param accepted string|nil the header Accept-Language, in the order of the client's liking
---@return string
function M.accepted(accepted)
  for tag in (accepted or ""):gmatch "[^,;%s]+" do
    local language = tag:lower():match "^%a+"
    if LANGUAGES[language] then return language end
  end
  return "en"
end

return M
