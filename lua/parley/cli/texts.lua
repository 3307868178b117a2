-- The words that people at a terminal read, in their language: LC_ALL, LC_MESSAGES or LANG says it.

local fs = require "host.fs"

local M = {}

local TEXTS = {
  en = {
    welcome = "Write a message; /help says what else there is.", try = "Try %s",
    help = "A number presses a button. /new starts over, /trace shows or hides who answered "
      .. "and why, /quit or Ctrl-D leaves. Anything else is sent.",
    new = "The conversation starts over.", trace_on = "The trace is shown.",
    trace_off = "The trace is hidden.", no_reply = "(no reply)", plugin = "plugin %s",
    rules = "answered by the rules", intent = "intent %s (%d %%, %s)",
    took = "%s ms, of which %s ms in the plugin", fallback = "fallback",
    failed = "no plugin answered", no_button = "There is no button %d.",
    reloaded = "%s has changed and is reloaded.",
    kept = "%s has changed, but the version before stays:",
    typing = "… is typing", open = "It opens in a browser: %s",
    handoff = "A person goes on with this.", close = "The conversation is closed.",
    menu = "The menu is closed.",
    unreachable = "%s cannot be reached: %s. Does a host run there? parley serve starts one",
    unauthorized = "the token is not accepted: it may be mistyped, expired or revoked. "
      .. "parley token create makes one; hand it over in PARLEY_TOKEN or by --token",
    forbidden = "the token may not do this: it needs the scopes dialogs:write and dialogs:read",
    wait = "%s: try again in a moment", refused = "this was refused: %s",
    unavailable = "the host could not answer: %s. Try again; its log says more under the "
      .. "trace_id %s",
    token_needed = "another host needs a token of its own: --token or PARLEY_TOKEN. There, "
      .. "parley token create --kind bot --scopes dialogs:write,dialogs:read makes one",
  },
  ru = {
    welcome = "Напишите сообщение; /help скажет, что есть ещё.", try = "Попробуйте %s",
    help = "Число нажимает кнопку. /new начинает сначала, /trace показывает или скрывает, "
      .. "кто ответил и почему, /quit или Ctrl-D — выход. Всё остальное отправляется.",
    new = "Разговор начат сначала.", trace_on = "Подробности показываются.",
    trace_off = "Подробности скрыты.", no_reply = "(без ответа)", plugin = "плагин %s",
    rules = "ответили правила", intent = "намерение %s (%d %%, %s)",
    took = "%s мс, из них %s мс в плагине", fallback = "запасной ответ",
    failed = "ни один плагин не ответил", no_button = "Кнопки %d нет.",
    reloaded = "%s изменён и загружен снова.",
    kept = "%s изменён, но остаётся прежняя версия:",
    typing = "… печатает", open = "Открывается в браузере: %s",
    handoff = "Дальше ответит человек.", close = "Разговор закончен.", menu = "Меню закрыто.",
    unreachable = "%s недоступен: %s. Запущен ли там Parley? Его запускает parley serve",
    unauthorized = "токен не принят: в нём опечатка, он истёк или отозван. Новый делает "
      .. "parley token create; передайте его в PARLEY_TOKEN или через --token",
    forbidden = "токену это не разрешено: нужны права dialogs:write и dialogs:read",
    wait = "%s: повторите чуть позже", refused = "в этом отказано: %s",
    unavailable = "ответить не получилось: %s. Попробуйте ещё раз; подробности в журнале, "
      .. "trace_id %s",
    token_needed = "другому серверу нужен его собственный токен: --token или PARLEY_TOKEN. Там "
      .. "его сделает parley token create --kind bot --scopes dialogs:write,dialogs:read",
  },
  uk = {
    welcome = "Напишіть повідомлення; /help скаже, що є ще.", try = "Спробуйте %s",
    help = "Число натискає кнопку. /new починає спочатку, /trace показує або ховає, хто відповів і "
      .. "чому, /quit або Ctrl-D — вихід. Усе інше надсилається.",
    new = "Розмову почато спочатку.", trace_on = "Подробиці показуються.",
    trace_off = "Подробиці сховано.", no_reply = "(без відповіді)", plugin = "плагін %s",
    rules = "відповіли правила", intent = "намір %s (%d %%, %s)",
    took = "%s мс, з них %s мс у плагіні", fallback = "запасна відповідь",
    failed = "жоден плагін не відповів", no_button = "Кнопки %d немає.",
    reloaded = "%s змінено й завантажено знову.",
    kept = "%s змінено, але лишається попередня версія:",
    typing = "… друкує", open = "Відкривається в браузері: %s",
    handoff = "Далі відповість людина.", close = "Розмову закінчено.", menu = "Меню закрито.",
    unreachable = "%s недоступний: %s. Чи запущено там Parley? Його запускає parley serve",
    unauthorized = "токен не прийнято: у ньому помилка, він застарів або відкликаний. Новий робить "
      .. "parley token create; передайте його в PARLEY_TOKEN або через --token",
    forbidden = "токену це не дозволено: потрібні права dialogs:write і dialogs:read",
    wait = "%s: повторіть трохи згодом", refused = "у цьому відмовлено: %s",
    unavailable = "відповісти не вдалося: %s. Спробуйте ще раз; подробиці в журналі, "
      .. "trace_id %s",
    token_needed = "іншому серверу потрібен його власний токен: --token або PARLEY_TOKEN. Там "
      .. "його зробить parley token create --kind bot --scopes dialogs:write,dialogs:read",
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
