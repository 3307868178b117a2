-- A generation: the configuration, the rules and the plugins that belong together. It is built
-- whole and checked beside the one that serves; nothing in it changes afterwards.

local bundle = require "parley.plugins.bundle"
local bundles = require "parley.plugins.bundles"
local choose = require "parley.plugins.choose"
local circuit = require "parley.plugins.circuit"
local copies = require "parley.deployments.copies"
local deployments = require "parley.deployments.rows"
local json = require "host.json"
local last = require "parley.plugins.last"
local given_schema = require "parley.schema.given"
local llm = require "parley.llm.router"
local log = require "parley.ops.log"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local nlu = require "parley.nlu.mock"
local pace = require "parley.util.pace"
local places = require "parley.plugins.places"
local precompile = require "parley.plugins.precompile"
local problems = require "parley.plugins.problems"
local rest_driver = require "parley.plugins.rest_driver"
local registered = require "parley.plugins.registered"
local ring = require "parley.plugins.ring"
local rules = require "parley.rules"
local settings = require "parley.plugins.settings"
local suggest = require "parley.util.suggest"
local triggers = require "parley.triggers.file"
local views = require "parley.deployments.views"

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
---@field pins table<string, parley.Pin> as they were when it was built
---@field trials parley.Plugin[] those of which a new version is on trial beside the stable one
---@field trials_mark string parley.deployments.rows.mark of what it was built with
---@field misfits {row: parley.Deployment, message: string}[] new versions that do not load here
---@field refused table<string, {hash: string, secret_version: integer, reason: string}>
--- registered plugins that do not fit
---@field refs integer turns that hold it
---@field holders table<table, boolean> those turns
---@field replaced_ms integer|nil when another one was put in service
---@field since_ms integer|nil when it was put in service

-- Settings of a plugin that is not there are a mistake in its name.
local function check_settings(config, found, rows)
  local known = {}
  for name in pairs(found) do known[name] = true end
  for _, row in ipairs(rows) do known[row.name] = true end
  for name in pairs(config.plugins) do
    if not known[name] then
      return nil, {
        code = "config", retryable = false, op = "plugins",
        message = ("%s: plugins.%s: there is no plugin of this name.%s"):format(
          config.place("plugins." .. tostring(name)), tostring(name),
          suggest.hint(tostring(name), known)),
      }
    end
  end
  return true
end

-- The operator's own plugins are compiled for the first time in one process together, others in one
-- of their own each: nobody else's source vouches for theirs.
local function new_driver(b, m, ours, how)
  if m.transport == "rest" then return rest_driver.new(m, ours) end
  if how.ring ~= "trusted" then how.precompile = nil end
  return lua_driver.new(m, b.files, how)
end

-- Whether the code of a plugin is not even loaded: it is disabled, maybe for what it does then.
local function is_left_alone(name, given)
  if given.disabled[name] then return true end
  local row = given.by_name[name]
  return row ~= nil and row.status == "disabled"
end

-- The manifest of a bundle, to which the settings add intents: other generations share the bundle.
local function own_manifest(b)
  local m = {}
  for key, value in pairs(b.manifest) do m[key] = value end
  m.intents = json.array { unpack(m.intents) }
  return m
end

-- What is to be loaded of a plugin in a folder: what an operator has gone back to; else, when the
-- folders are not to be read again, what serves; else what the folder says.
---@param place parley.PluginPlace
---@return parley.Bundle|nil bundle
---@return string|table origin or the error
---@return string|nil problem with a bundle: why it is not the one that is pinned
local function bundle_of(place, name, config, given)
  local pin, before = given.pins[name], given.before and given.before.chooser.by_name[name]
  local serves = before and before.bundle
  local problem
  if pin then
    local b, err = bundles.read(config.home, name, pin.hash)
    if b then return b, pin.origin or place.origin end
    problem = "it is to serve bundle " .. pin.hash:sub(1, 12) .. ", but: " .. err.message
  end
  local follows = given.keep and before and not before.pinned
  if serves and (pin or follows) then return serves, before.origin, problem end
  if given.last then return last.bundle(given.last, config.home, name) end
  local b, err = bundle.read(place.dir, name)
  if not b then return nil, err end
  return b, place.origin, problem
end

-- A bundle as a plugin that can be called.
---@param label string|nil what the engine calls its state; default: its name
local function make_plugin(b, origin, config, given, label)
  local driver, err
  local m = own_manifest(b)
  local name = m.name
  m.label = label
  local ours, own = settings.apply(m, config.plugins[name])
  if ours then
    driver, err = new_driver(b, m, ours, {
      config = own, later = is_left_alone(name, given), precompile = given.precompile,
      ring = ring.of(origin, config, ours.ring),
    })
  else
    err = own
  end
  if not driver then
    local ours_to_set = err.code == "config"
    return nil, {
      code = ours_to_set and "config" or "plugin", retryable = false, op = "plugins",
      message = ours_to_set
        and ("%s: %s"):format(config.place("plugins." .. name), err.message)
        or problems.place(b.dir, name, err.message),
    }
  end
  return {
    name = name, file = b.dir .. "/manifest.json", manifest = m, hash = b.hash, bundle = b,
    origin = origin, driver = driver, circuit = circuit.new(name), config = own, settings = ours,
    ring = driver.ring,
  }
end

---@param place parley.PluginPlace
local function load_plugin(place, name, config, given)
  local b, origin, problem = bundle_of(place, name, config, given)
  if not b then return nil, origin end
  local plugin, err = make_plugin(b, origin, config, given)
  if not plugin then return nil, err end
  local pin, disabled = given.pins[name], given.disabled
  local off = plugin.settings.enabled == false or disabled[name] ~= nil
  plugin.place, plugin.off, plugin.state = place, off, off and "disabled" or "active"
  plugin.reason = disabled[name] or (off and "the configuration says so") or nil
  plugin.pinned, plugin.pin_problem = pin ~= nil and pin.hash == b.hash, problem
  return plugin
end

-- Each plugin on its own, and all of them: an operator is told what is wrong with any. Turns get
-- their share of the loop meanwhile.
local function load_plugins(self, found, given)
  local names, failed, pause = {}, nil, pace.new()
  for name in pairs(found) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local plugin, err = load_plugin(found[name], name, self.config, given)
    self.plugins[#self.plugins + 1] = plugin
    failed = problems.both(failed, not plugin and err or nil)
    pause()
  end
  return failed
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
  local pause = pace.new()
  local together = manifest.check_together(self.plugins)
  if #together > 0 then
    return nil, {
      code = "plugin", retryable = false, op = "plugins", message = manifest.describe(together),
    }
  end
  pause()
  local chooser, err = choose.compile(self.plugins)
  if not chooser then return nil, err end
  local fallback = self.config.fallback_plugin
  if not chooser.by_name[fallback] then
    return nil, {
      code = "config", retryable = false, op = "plugins",
      message = ("%s: fallback_plugin: there is no plugin '%s'"):format(
        self.config.place "fallback_plugin", fallback),
    }
  end
  self.chooser, self.fallback = chooser, chooser.by_name[fallback]
  self.intents = chooser:intent_examples()
  self.index = nlu.build(self.intents, pause)
  return true
end

local function schema_problem(schema, value)
  local errors = assert(given_schema.compile(schema))(value) -- the service has looked at it
  return errors and errors[1].path .. ": " .. errors[1].message
end

-- The rules, and the triggers, of the files; or as they serve, or have served.
local function load_rules(self, keep, given)
  local err, other
  local kept = given.last and given.last.rules
  if keep then
    self.triggers = keep.triggers
    self.rules, err = rules.new(keep.rules.source, keep.rules.name, given.precompile)
    return not self.rules and err or nil
  end
  if kept then
    self.rules, err = rules.new(kept.source, kept.name, given.precompile)
  else
    self.rules, err = rules.load(self.config.home .. "/conf/rules.lua", given.precompile)
  end
  self.triggers, other = triggers.load(self.config)
  return problems.both(not self.rules and err or nil, not self.triggers and other or nil)
end

local function build(self, given)
  local keep = given.keep and given.before or nil
  local found, err, ok
  if keep then found = places.kept(keep) else found, err = places.find(self.config) end
  if given.last then found = last.places(given.last, self.config, found or {}) end
  if not found then return nil, err end
  places.add_pinned(found, self.config, given.pins)
  ok, err = check_settings(self.config, found, given.rows)
  local failed = problems.both(not ok and err or nil, load_plugins(self, found, given))
  failed = problems.both(failed, load_rules(self, keep, given))
  if failed then return nil, failed end
  add_rows(self, given.rows, given.master)
  local c = self.config.llm
  self.llm = llm.new {
    provider = c.provider, url = c.url, key = c.key, model = c.model, prices = c.prices,
    timeout_seconds = c.timeout_seconds, check = schema_problem,
    allow_private = true, -- the operator has named the address
  }
  ok, err = compile(self)
  if not ok then return nil, err end
  views.add(self, given.trials, function(t)
    local label = copies.label(t.row.plugin, t.row.canary)
    return make_plugin(t.bundle, t.row.origin, self.config, given, label)
  end)
  views.build(self, compile)
  return true
end

---@class parley.Given beside the configuration
---@field rows? parley.PluginRow[] of parley.plugins.registry
---@field pins? table<string, parley.Pin> of parley.plugins.versions
---@field deployments? parley.Deployment[] that run; `trials`: with their bundles, of
--- parley.deployments.copies
---@field trials? parley.Trial[]
---@field master? string the key for the secrets of registered plugins
---@field disabled? table<string, string> plugins that are not to be chosen, and why
---@field before? parley.Generation that serves
---@field keep? boolean take plugins, rules and triggers as `before` has them, not from the disk
---@field last? parley.Last take them as they have served

---Builds a generation; it waits when a plugin's main chunk is preempted.
---@param config table from parley.config
---@param given parley.Given|nil
---@return parley.Generation|nil generation
---@return table|nil err names file and line of what is wrong
function M.build(config, given)
  local all = {
    rows = {}, pins = {}, deployments = {}, trials = {}, disabled = {}, by_name = {},
    precompile = precompile.new(),
  }
  for key, value in pairs(given or {}) do all[key] = value end
  for _, row in ipairs(all.rows) do all.by_name[row.name] = row end
  local self = setmetatable({
    config = config, plugins = {}, refused = {}, misfits = {}, trials = {}, refs = 0, holders = {},
    pins = all.pins, trials_mark = deployments.mark(all.deployments),
  }, M)
  local ok, err = build(self, all)
  all.precompile:close()
  if ok then return self end
  self:close()
  return nil, err
end

---What a dialog sees of it: itself, or a view with new versions in the place of stable ones.
---@param dialog_id string
---@return parley.Generation
function M:for_dialog(dialog_id) return views.of(self, dialog_id) end

---Gives back what the generation has, a little at a time.
function M:close()
  local pause = pace.new()
  for _, p in ipairs(self.plugins) do
    if p.canary then p.canary.plugin.driver:close() end
    p.driver:close()
    pause()
  end
  if self.rules then self.rules:close() end
end

return M
