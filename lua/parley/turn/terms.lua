-- The terms of a dialog: what the bot that it is with sets for all of its dialogs. They are read
-- anew for each turn, so that a change holds from the next message on.

local log = require "parley.ops.log"
local settings = require "parley.plugins.settings"

local M = {}

---@class parley.Terms
---@field bot string its name
---@field plugins table<string, boolean>|nil the names of those that may be reached; nil: all
---@field fallback string|nil a plugin
---@field locale string|nil of people of whom the channel tells none
---@field settings table<string, table> of plugins, by their names
---@field configs table<table, table> what follows from them, by plugin, as long as there is one

---@param bot {name: string, plugins: string[]|nil, config: table}
---@return parley.Terms
function M.new(bot)
  local plugins
  if bot.plugins then
    plugins = {}
    for _, name in ipairs(bot.plugins) do plugins[name] = true end
  end
  return {
    bot = bot.name, plugins = plugins, fallback = bot.config.fallback_plugin,
    locale = bot.config.locale, settings = bot.config.plugins or {},
    configs = setmetatable({}, { __mode = "k" }),
  }
end

---The plugin that answers when no other does.
---@param terms parley.Terms|nil
---@param generation parley.Generation
---@return parley.Plugin
function M.fallback(terms, generation)
  local own = terms and terms.fallback and generation.chooser.by_name[terms.fallback]
  return own and own.state ~= "disabled" and own or generation.fallback
end

local function configure(terms, plugin)
  local given = terms.settings[plugin.name]
  if not given then return plugin.config end
  local config, problem = settings.overlay(plugin.manifest, plugin.config, given)
  if config then return config end
  log.write("error", "settings of a bot do not fit a plugin, which gets those of the host", {
    bot = terms.bot, plugin = plugin.name, error = problem,
  })
  return plugin.config
end

---The settings of a plugin in a dialog: those of the bot before those of the host.
---@param terms parley.Terms|nil
---@param plugin parley.Plugin
---@return table config
function M.config(terms, plugin)
  if not terms then return plugin.config end
  local known = terms.configs[plugin]
  if not known then
    known = configure(terms, plugin) or {}
    terms.configs[plugin] = known
  end
  return known
end

return M
