-- The words that people at a terminal read, in their language: LC_ALL, LC_MESSAGES or LANG says it.

local fs = require "host.fs"

local M = {}

local TEXTS = {
  en = {
    welcome = "Write a message; /help says what else there is.",
    help = "A number presses a button. /new starts over, /trace shows or hides who answered "
      .. "and why, /quit or Ctrl-D leaves. Anything else is sent.",
    new = "The conversation starts over.", trace_on = "The trace is shown.",
    trace_off = "The trace is hidden.", no_reply = "(no reply)", plugin = "plugin %s",
    rules = "answered by the rules", intent = "intent %s (%d %%, %s)",
    took = "%s ms, of which %s ms in the plugin", fallback = "fallback",
    failed = "no plugin answered", no_button = "There is no button %d.",
    reloaded = "%s has changed and is reloaded.",
    kept = "%s has changed, but the version before stays:",
  },
  ru = {
    welcome = "Напишите сообщение; /help скажет, что есть ещё.",
    help = "Число нажимает кнопку. /new начинает сначала, /trace показывает или скрывает, "
      .. "кто ответил и почему, /quit или Ctrl-D — выход. Всё остальное отправляется.",
    new = "Разговор начат сначала.", trace_on = "Подробности показываются.",
    trace_off = "Подробности скрыты.", no_reply = "(без ответа)", plugin = "плагин %s",
    rules = "ответили правила", intent = "намерение %s (%d %%, %s)",
    took = "%s мс, из них %s мс в плагине", fallback = "запасной ответ",
    failed = "ни один плагин не ответил", no_button = "Кнопки %d нет.",
    reloaded = "%s изменён и загружен снова.",
    kept = "%s изменён, но остаётся прежняя версия:",
  },
  uk = {
    welcome = "Напишіть повідомлення; /help скаже, що є ще.",
    help = "Число натискає кнопку. /new починає спочатку, /trace показує або ховає, хто відповів і "
      .. "чому, /quit або Ctrl-D — вихід. Усе інше надсилається.",
    new = "Розмову почато спочатку.", trace_on = "Подробиці показуються.",
    trace_off = "Подробиці сховано.", no_reply = "(без відповіді)", plugin = "плагін %s",
    rules = "відповіли правила", intent = "намір %s (%d %%, %s)",
    took = "%s мс, з них %s мс у плагіні", fallback = "запасна відповідь",
    failed = "жоден плагін не відповів", no_button = "Кнопки %d немає.",
    reloaded = "%s змінено й завантажено знову.",
    kept = "%s змінено, але лишається попередня версія:",
  },
}

---The language of the terminal: "en", "ru" or "uk".
---@return string
function M.language()
  for _, name in ipairs { "LC_ALL", "LC_MESSAGES", "LANG" } do
    local value = fs.getenv(name)
    if value and value ~= "" then
      local language = value:sub(1, 2):lower()
      return TEXTS[language] and language or "en"
    end
  end
  return "en"
end

---@param language string
---@return fun(key: string, ...): string
function M.of(language)
  local texts = TEXTS[language]
  return function(key, ...)
    return select("#", ...) > 0 and texts[key]:format(...) or texts[key]
  end
end

return M
