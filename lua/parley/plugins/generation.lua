-- A generation: the configuration, the rules and the plugins that belong together. It is built
-- whole and checked beside the one that serves; nothing in it changes afterwards.

local bundle = require "parley.plugins.bundle"
local choose = require "parley.plugins.choose"
local circuit = require "parley.plugins.circuit"
local compile_schema = require("parley.schema.compile").compile
local fs = require "host.fs"
local llm = require "parley.llm.router"
local log = require "parley.ops.log"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local nlu = require "parley.nlu.mock"
local rest_driver = require "parley.plugins.rest_driver"
local registered = require "parley.plugins.registered"
local rules = require "parley.rules"
local settings = require "parley.plugins.settings"
local suggest = require "parley.util.suggest"
local triggers = require "parley.triggers.file"

local M = {}
M.__index = M

---@class parley.Generation
---@field number integer given when it is put in service
---@field config table parley.config
---@field plugins parley.Plugin[]
---@field chooser table
---@field rules table
---@field triggers table parley.triggers
---@field intents table[] with their examples; `index`: what the offline classifier compares with
---@field llm table parley.llm.router
---@field refused table<string, {hash: string, secret_version: integer, reason: string}>
--- registered plugins that do not fit
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
local function check_settings(config, found, rows)
  local known = {}
  for name in pairs(found) do known[name] = true end
  for _, row in ipairs(rows) do known[row.name] = true end
  for name in pairs(config.plugins) do
    if not known[name] then
      return nil, {
        code = "config", retryable = false, op = "plugins",
        message = ("%s: plugins.%s: there is no plugin of this name.%s"):format(config.file,
          tostring(name), suggest.hint(tostring(name), known)),
      }
    end
  end
  return true
end

local function new_driver(b, ours)
  if b.manifest.transport == "rest" then return rest_driver.new(b.manifest, ours) end
  return lua_driver.new(b.manifest, b.files)
end

local function load_plugin(dir, name, config, disabled)
  local b, err = bundle.read(dir)
  if not b then return nil, err end
  local driver
  local ours, own = settings.apply(b.manifest, config.plugins[name])
  if ours then driver, err = new_driver(b, ours) else err = own end
  if not driver then
    local where = err.code == "config" and config.file or dir
    return nil, {
      code = err.code == "config" and "config" or "plugin", retryable = false, op = "plugins",
      message = ("%s: %s"):format(where, err.message),
    }
  end
  local off = ours.enabled == false or disabled[name] ~= nil
  return {
    name = name, file = dir .. "/manifest.json", manifest = b.manifest, hash = b.hash,
    driver = driver, circuit = circuit.new(name), config = own, settings = ours, off = off,
    state = off and "disabled" or "active",
    reason = disabled[name] or (off and "the configuration says so") or nil,
  }
end

-- What an operator or a trigger has said of a plugin of a folder, and the plugins that have
-- registered. One of those that does not fit is left out: nobody who can register may keep the
-- host from starting.
local function add_rows(self, rows, master)
  local by_name = {}
  for _, p in ipairs(self.plugins) do by_name[p.name] = p end
  for _, row in ipairs(rows) do
    local bundled = by_name[row.name]
    if bundled then registered.mark(bundled, row) end
    if row.registered then
      local plugin, err
      if bundled then
        err = { message = "a plugin of this name is installed in a folder" }
      else
        plugin, err = registered.add(self.plugins, row, self.config, master)
      end
      if plugin then
        by_name[row.name] = plugin
      else
        self.refused[row.name] = {
          hash = row.manifest_hash, secret_version = row.secret_version, reason = err.message,
        }
        log.write("error", "a registered plugin does not fit and is left out",
          { plugin = row.name, error = err.message })
      end
    end
  end
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

local function build(self, given)
  local found, names = find(self.config)
  if not found then return nil, names end
  local rows = given.rows or {}
  local ok, err = check_settings(self.config, found, rows)
  if not ok then return nil, err end
  for _, name in ipairs(names) do
    local plugin
    plugin, err = load_plugin(found[name], name, self.config, given.disabled or {})
    if not plugin then return nil, err end
    self.plugins[#self.plugins + 1] = plugin
  end
  add_rows(self, rows, given.master)
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
  self.triggers, err = triggers.load(self.config)
  if not self.triggers then return nil, err end
  return self
end

---Builds a generation; it waits when a plugin's main chunk is preempted.
---@param config table from parley.config
---@param given {disabled: table<string, string>|nil, rows: table[]|nil, master: string|nil}|nil
--- disabled: plugins that are not to be chosen, and why; rows: parley.plugins.registry.rows, with
--- the key for their secrets
---@return parley.Generation|nil generation
---@return table|nil err names file and line of what is wrong
function M.build(config, given)
  local self = setmetatable({ config = config, plugins = {}, refused = {}, refs = 0 }, M)
  local ok, err = build(self, given or {})
  if ok then return self end
  self:close()
  return nil, err
end

function M:close()
  for _, p in ipairs(self.plugins) do p.driver:close() end
  if self.rules then self.rules:close() end
end

return M
