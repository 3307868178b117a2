-- A generation: the configuration, the rules and the plugins that belong together. It is built
-- whole and checked beside the one that serves; nothing in it changes afterwards.

local bundle = require "parley.plugins.bundle"
local choose = require "parley.plugins.choose"
local circuit = require "parley.plugins.circuit"
local compile_schema = require("parley.schema.compile").compile
local fs = require "host.fs"
local llm = require "parley.llm.router"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local nlu = require "parley.nlu.mock"
local rest_driver = require "parley.plugins.rest_driver"
local rules = require "parley.rules"
local suggest = require "parley.util.suggest"

local M = {}
M.__index = M

---@class parley.Generation
---@field number integer given when it is put in service
---@field config table parley.config
---@field plugins parley.Plugin[]
---@field chooser table
---@field rules table
---@field intents table[] with their examples; `index`: what the offline classifier compares with
---@field llm table parley.llm.router
---@field refs integer turns that hold it
---@field since_ms integer|nil when it was put in service

local function folders(config)
  return { fs.data_dir() .. "/plugins", config.home .. "/plugins" }
end

-- A plugin of the home takes the place of the one of the same name that ships; one that is being
-- developed (plugin_folders, set by the tools) that of both.
local function find(config)
  local found, names = {}, {}
  for _, dir in ipairs(folders(config)) do
    if fs.exists(dir) then
      local list, err = fs.list(dir)
      if not list then return nil, err end
      for _, name in ipairs(list) do
        if fs.exists(dir .. "/" .. name .. "/manifest.json") then
          if not found[name] then names[#names + 1] = name end
          found[name] = dir .. "/" .. name
        end
      end
    end
  end
  for name, dir in pairs(config.plugin_folders or {}) do
    if not found[name] then names[#names + 1] = name end
    found[name] = dir
  end
  table.sort(names)
  return found, names
end

-- Settings of a plugin that is not there are a mistake in its name.
local function check_settings(config, found)
  for name in pairs(config.plugins) do
    if not found[name] then
      return nil, {
        code = "config", retryable = false, op = "plugins",
        message = ("%s: plugins.%s: there is no plugin of this name.%s"):format(config.file,
          tostring(name), suggest.hint(tostring(name), found)),
      }
    end
  end
  return true
end

-- What of a plugin's settings is for the host; the rest is the plugin's own configuration.
local OURS = {
  enabled = true, signing_secret = true, allow_private = true, intents = true, token_id = true,
}

local function split_settings(settings)
  local ours, own = {}, {}
  for key, value in pairs(settings or {}) do
    if OURS[key] then ours[key] = value else own[key] = value end
  end
  return ours, own
end

-- Intents that the operator adds to those of the manifest: the same shape, the same checks.
local function add_intents(m, name, given)
  if given == nil then return true end
  local problems = manifest.check_intents(given)
  if problems then
    return nil, {
      code = "config", retryable = false, op = "plugins",
      message = ("plugins.%s.%s"):format(name, problems),
    }
  end
  for _, intent in ipairs(given) do m.intents[#m.intents + 1] = intent end
  return true
end

local function new_driver(b, ours)
  if b.manifest.transport == "rest" then return rest_driver.new(b.manifest, ours) end
  return lua_driver.new(b.manifest, b.files)
end

-- The plugin's own settings, by the schema in its manifest.
local function check_own(m, own)
  if not m.config then return true end
  local errors = compile_schema(m.config)(own)
  if not errors then return true end
  return nil, {
    code = "config", retryable = false, op = "plugins",
    message = ("plugins.%s%s: %s"):format(m.name, errors[1].path:gsub("/", "."), errors[1].message),
  }
end

local function load_plugin(dir, name, config, disabled)
  local b, err = bundle.read(dir)
  if not b then return nil, err end
  local ours, own = split_settings(config.plugins[name])
  local driver, ok
  ok, err = add_intents(b.manifest, name, ours.intents)
  if ok then ok, err = check_own(b.manifest, own) end
  if ok then driver, err = new_driver(b, ours) end
  if not driver then
    local where = err.code == "config" and config.file or dir
    return nil, {
      code = err.code == "config" and "config" or "plugin", retryable = false, op = "plugins",
      message = ("%s: %s"):format(where, err.message),
    }
  end
  local off = ours.enabled == false or disabled[name]
  return {
    name = name, file = dir .. "/manifest.json", manifest = b.manifest, hash = b.hash,
    driver = driver, circuit = circuit.new(name), config = own, settings = ours,
    state = off and "disabled" or "active",
    reason = disabled[name] or (off and "the configuration says so") or nil,
  }
end

-- What the plugins are together: no two with one command, no cycle of before/after, a fallback.
local function compile(self)
  local problems = manifest.check_together(self.plugins)
  if #problems > 0 then
    return nil, {
      code = "plugin", retryable = false, op = "plugins", message = manifest.describe(problems),
    }
  end
  local chooser, err = choose.compile(self.plugins)
  if not chooser then return nil, err end
  local fallback = self.config.fallback_plugin
  if not chooser.by_name[fallback] then
    return nil, {
      code = "config", retryable = false, op = "plugins",
      message = ("%s: fallback_plugin: there is no plugin '%s'"):format(self.config.file, fallback),
    }
  end
  self.chooser, self.fallback = chooser, chooser.by_name[fallback]
  self.intents = chooser:intent_examples()
  self.index = nlu.build(self.intents)
  return true
end

local function schema_problem(schema, value)
  local good, check = pcall(compile_schema, schema)
  if not good then return "the schema cannot be checked: " .. tostring(check) end
  local errors = check(value)
  return errors and errors[1].path .. ": " .. errors[1].message
end

local function build(self, disabled)
  local found, names = find(self.config)
  if not found then return nil, names end
  local ok, err = check_settings(self.config, found)
  if not ok then return nil, err end
  for _, name in ipairs(names) do
    local plugin
    plugin, err = load_plugin(found[name], name, self.config, disabled)
    if not plugin then return nil, err end
    self.plugins[#self.plugins + 1] = plugin
  end
  ok, err = compile(self)
  if not ok then return nil, err end
  local c = self.config.llm
  self.llm = llm.new {
    provider = c.provider, url = c.url, key = c.key, model = c.model, prices = c.prices,
    timeout_seconds = c.timeout_seconds, check = schema_problem,
    allow_private = true, -- the operator has named the address
  }
  self.rules, err = rules.load(self.config.home .. "/conf/rules.lua")
  if not self.rules then return nil, err end
  return self
end

---Builds a generation; it waits when a plugin's main chunk is preempted.
---@param config table from parley.config
---@param disabled table<string, string>|nil plugins that are not to be chosen, and why
---@return parley.Generation|nil generation
---@return table|nil err names file and line of what is wrong
function M.build(config, disabled)
  local self = setmetatable({ config = config, plugins = {}, refs = 0 }, M)
  local ok, err = build(self, disabled or {})
  if ok then return self end
  self:close()
  return nil, err
end

function M:close()
  for _, p in ipairs(self.plugins) do p.driver:close() end
  if self.rules then self.rules:close() end
end

return M
