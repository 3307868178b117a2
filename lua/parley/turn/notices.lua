-- What the host itself says to people.

local M = {}

local TEXTS = {
  -- A plugin has failed whose manifest says "on_error": "reply".
  sorry = {
    en = "That did not work just now. Please try again later.",
    ru = "Сейчас это не получилось. Попробуйте, пожалуйста, позже.",
    uk = "Зараз це не вдалося. Спробуйте, будь ласка, пізніше.",
  },
  -- A button of a menu that is not the dialog's any more was pressed.
  stale = {
    en = "This menu is out of date.",
    ru = "Это меню устарело.",
    uk = "Це меню застаріло.",
  },
  -- A person has started their dialog anew.
  reset = {
    en = "The dialog starts anew.",
    ru = "Диалог начат заново.",
    uk = "Діалог розпочато заново.",
  },
  -- Somebody writes more than a person does.
  slow_down = {
    en = "You write faster than I can answer. Please wait a little.",
    ru = "Вы пишете быстрее, чем я успеваю отвечать. Подождите, пожалуйста, немного.",
    uk = "Ви пишете швидше, ніж я встигаю відповідати. Зачекайте, будь ласка, трохи.",
  },
  -- The operator does not allow them to.
  not_allowed = {
    en = "Sorry, this is not open to you here.",
    ru = "К сожалению, здесь это вам недоступно.",
    uk = "На жаль, тут це вам недоступно.",
  },
}

---@param name "sorry"|"stale"|"reset"|"slow_down"|"not_allowed"
---@param locale string like uk-UA
---@return string
function M.text(name, locale)
  local texts = TEXTS[name]
  return texts[locale:match "^%a+"] or texts.en
end

return M
