-- What the user reads when a plugin has failed whose manifest says "on_error": "reply".

local M = {}

local TEXTS = {
  en = "That did not work just now. Please try again later.",
  ru = "Сейчас это не получилось. Попробуйте, пожалуйста, позже.",
  uk = "Зараз це не вдалося. Спробуйте, будь ласка, пізніше.",
}

---@param locale string like uk-UA
---@return string
function M.text(locale)
  return TEXTS[locale:match "^%a+"] or TEXTS.en
end

return M
