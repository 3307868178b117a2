-- The commands that a bot shows in Telegram: those of its plugins, with what their manifests say of
-- them in each language, and the host's own.
--
-- https://core.telegram.org/bots/api#setmycommands: at most 100, names of 1 to 32 small letters,
-- digits and underscores, descriptions of 1 to 256 characters.

local json = require "host.json"

local M = {}

local COMMANDS_MAX, NAME_MAX = 100, 32

---@type string[] the languages that have a list; all others get that of the host's own language
M.LANGUAGES = { "en", "ru", "uk" }

local RESET = {
  en = "Start the dialog anew", ru = "Обновить диалог", uk = "Оновити діалог",
}

-- A text of a manifest in a language, or in the one that is next to it.
local function in_language(text, language)
  if type(text) ~= "table" then return text end
  if text[language] then return text[language] end
  for name, words in pairs(text) do
    if name:match "^%a+" == language then return words end
  end
  if text.en then return text.en end
  local names = {}
  for name in pairs(text) do names[#names + 1] = name end
  table.sort(names)
  return text[names[1]]
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then return true end
  end
  return false
end

local function has_language(locales, language)
  for _, locale in ipairs(locales) do
    if locale:match "^%a+" == language then return true end
  end
  return false
end

-- Whether everybody who writes to the bot in this language may reach the plugin.
local function is_open(plugin, bot, language)
  local when = plugin.manifest.when or {}
  return plugin.state ~= "disabled"
    and (not bot.plugins or contains(bot.plugins, plugin.name))
    and (not when.channels or contains(when.channels, "telegram"))
    and (not when.roles or contains(when.roles, "user"))
    and (not when.locales or has_language(when.locales, language))
end

---@param generation parley.Generation
---@param bot parley.Bot
---@param language string
---@return {command: string, description: string}[] list in the order of the plugins
function M.of(generation, bot, language)
  local out, seen = json.array(), {}
  local function add(name, description)
    if seen[name] or #name > NAME_MAX or #out == COMMANDS_MAX then return end
    seen[name] = true
    out[#out + 1] = { command = name, description = description }
  end
  -- In its place also when there are a hundred others; a plugin's of this name is never reached.
  local own = generation.config.reset_command and { "reset", RESET[language] or RESET.en }
  if own then seen.reset = true end
  for _, plugin in ipairs(generation.chooser.ordered) do
    local m = plugin.manifest
    if is_open(plugin, bot, language) then
      for _, c in ipairs(m.commands or {}) do
        if #out == COMMANDS_MAX - (own and 1 or 0) then break end
        add(c.name, in_language(c.description or m.title or m.name, language))
      end
    end
  end
  if own then
    seen.reset = nil
    add(own[1], own[2])
  end
  return out
end

return M
