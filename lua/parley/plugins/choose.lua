-- Which plugin answers: candidates in order, each with its reason. Pure: what it is given decides.
--
-- Compiled once per generation into tables by command, intent and name, so that a message asks only
-- the plugins that it could concern, however many there are. Patterns alone are tried one by one,
-- each behind a plain search for a text that it needs.
--
-- The reasons, strongest first: what the rules say; the plugin that made the button; the command;
-- the plugin whose keyboard has written it; the one whose conversation is under way; a pattern; an
-- intent. Within one reason the plugins' order (order.lua) decides. Plugins that are degraded, or
-- registered and not heard of yet, come after all active ones, disabled ones not at all; it is read
-- at the time of the choice. One whose circuit is open counts as degraded until the next probe is
-- due: the message that makes it finds the plugin in its own place.

local order = require "parley.plugins.order"
local pattern = require "parley.util.pattern"

local M = {}
M.__index = M

local THRESHOLD = 0.5 -- of an intent that states none

---@class parley.Plugin
---@field name string
---@field manifest table PluginManifestV1
---@field state "registered"|"active"|"degraded"|"disabled"
---@field circuit? table parley.util.breaker

---@class parley.ChooseInput
---@field text? string
---@field type? string of the message
---@field payload? table of the message: `command` of a command, `plugin` of a callback
---@field channel? string
---@field role? string
---@field locale? string
---@field keyboard? string the plugin that has made the button with this text
---@field owner? string the plugin whose conversation is under way
---@field state? string where that conversation is; absent: "idle"
---@field intent? {name: string, confidence: number, alternatives?: table[]}
---@field verdict? {plugin?: string, intent?: string} of the rules
---@field only? table<string, boolean> the names of those that may be chosen; absent: all

local function set_of(list)
  if not list then return nil end
  local set = {}
  for _, v in ipairs(list) do set[v:lower()] = true end
  return set
end

local function compile_when(when)
  if not when then return nil end
  return {
    channels = set_of(when.channels), roles = set_of(when.roles), locales = set_of(when.locales),
    states = set_of(when.states),
  }
end

-- What of `when` stands against the message, nil: nothing.
local function obstacle(when, input)
  if not when then return nil end
  if when.channels and not when.channels[(input.channel or ""):lower()] then return "channel" end
  if when.roles and not when.roles[(input.role or "user"):lower()] then return "role" end
  if when.states and not when.states[(input.state or "idle"):lower()] then return "state" end
  if when.locales then
    local locale = (input.locale or ""):lower():gsub("_", "-")
    -- "uk" is met by uk-UA; "uk-ua" by that only
    while not when.locales[locale] do
      locale = locale:match "^(.+)%-[^-]+$"
      if not locale then return "locale" end
    end
  end
  return nil
end

local function push(map, key, value)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  list[#list + 1] = value
end

--- Builds the tables of a generation.
---@param plugins parley.Plugin[]
---@return table? chooser `by_name` and `ordered` may be read
---@return table? err {code = "plugin", message} for a cycle of before/after or a bad pattern
function M.compile(plugins)
  local ordered, cycle = order.sort(plugins)
  if not ordered then
    return nil, {
      code = "plugin", retryable = false, op = "plugins.choose",
      message = "before/after form a cycle: " .. table.concat(cycle, " -> "),
    }
  end
  local self = setmetatable({
    ordered = ordered, by_name = {}, commands = {}, events = {}, intents = {}, patterns = {},
    when = {},
  }, M)
  for _, p in ipairs(ordered) do
    local m = p.manifest
    self.by_name[p.name] = p
    self.when[p] = compile_when(m.when)
    for _, command in ipairs(m.commands or {}) do push(self.commands, command.name:lower(), p) end
    for _, name in ipairs(m.events or {}) do push(self.events, name, p) end
    for _, intent in ipairs(m.intents or {}) do
      push(self.intents, intent.name, { plugin = p, threshold = intent.threshold or THRESHOLD })
    end
    for i, source in ipairs(m.patterns or {}) do
      local matches, problem = pattern.compile(source)
      if not matches then
        return nil, {
          code = "plugin", retryable = false, op = "plugins.choose",
          message = ("%s: patterns[%d]: %s"):format(p.name, i - 1, problem),
        }
      end
      self.patterns[#self.patterns + 1] = { plugin = p, matches = matches, source = source }
    end
  end
  return self
end

local function is_degraded(p)
  return p.state ~= "active" or (p.circuit ~= nil and p.circuit:shuns())
end

-- Candidates as they are found; a plugin counts by its strongest reason only.
---@param c table of M:choose
---@param p parley.Plugin|nil
---@param reason string
---@param detail? string|number what matched
local function add(c, p, reason, detail)
  if not p or c.seen[p] then return end
  c.seen[p] = true
  local only = c.input.only
  local skipped = p.state == "disabled" and "disabled" or only and not only[p.name] and "bot"
    or obstacle(c.chooser.when[p], c.input)
  if c.trace then
    c.trace[#c.trace + 1] = {
      plugin = p.name, reason = reason, detail = detail, state = p.state, skipped = skipped,
    }
  end
  if skipped then return end
  local list = is_degraded(p) and c.degraded or c.active
  list[#list + 1] = p
end

local function command_of(input)
  if input.type == "command" and input.payload and type(input.payload.command) == "string" then
    return input.payload.command:match "^/?([%w_]+)"
  end
  return input.text and input.text:match "^/([%w_]+)"
end

local function add_intent(self, c, name, confidence, reason)
  for _, entry in ipairs(self.intents[name] or {}) do
    if confidence >= entry.threshold then add(c, entry.plugin, reason, name) end
  end
end

--- Finds the candidates for a message.
---@param input parley.ChooseInput
---@param trace {plugin: string, reason: string, detail: any, state: string, skipped: string?}[]|nil
---   gets what was looked at, and why
---@return parley.Plugin[] candidates best first
function M:choose(input, trace)
  local c = {
    chooser = self, input = input, active = {}, degraded = {}, seen = {}, trace = trace,
  }
  local verdict, intent = input.verdict, input.intent
  if verdict then
    if verdict.plugin then add(c, self.by_name[verdict.plugin], "rule") end
    if verdict.intent then add_intent(self, c, verdict.intent, 1, "rule") end
  end
  local addressed = input.type == "callback" or input.type == "event"
  if addressed and input.payload and input.payload.plugin then
    add(c, self.by_name[input.payload.plugin], input.type)
  end
  if input.type == "event" and input.payload and type(input.payload.name) == "string" then
    for _, p in ipairs(self.events[input.payload.name] or {}) do add(c, p, "event") end
  end
  local command = command_of(input)
  if command then
    for _, p in ipairs(self.commands[command:lower()] or {}) do add(c, p, "command", command) end
  end
  if input.keyboard then add(c, self.by_name[input.keyboard], "keyboard") end
  if input.owner then add(c, self.by_name[input.owner], "conversation") end
  if input.text and input.text ~= "" then
    for _, entry in ipairs(self.patterns) do
      if not c.seen[entry.plugin] and entry.matches(input.text) then
        add(c, entry.plugin, "pattern", entry.source)
      end
    end
  end
  if intent and intent.name then
    add_intent(self, c, intent.name, intent.confidence, "intent")
    for _, other in ipairs(intent.alternatives or {}) do
      add_intent(self, c, other.name, other.confidence, "alternative")
    end
  end
  local list = c.active
  for _, p in ipairs(c.degraded) do list[#list + 1] = p end
  return list
end

--- All intents of the generation, for the classifier; a plugin's `when.locales` are those of its
--- intents.
---@return {name: string, examples: string[], locales: string[]?}[]
function M:intent_examples()
  local out, by_name = {}, {}
  for _, p in ipairs(self.ordered) do
    local locales = p.manifest.when and p.manifest.when.locales
    for _, intent in ipairs(p.manifest.intents or {}) do
      local known = by_name[intent.name]
      if not known then
        known = { name = intent.name, examples = {}, locales = locales }
        by_name[intent.name] = known
        out[#out + 1] = known
      elseif known.locales ~= locales then
        known.locales = nil -- two plugins share the intent, for different users
      end
      for _, phrase in ipairs(intent.examples or {}) do
        known.examples[#known.examples + 1] = phrase
      end
    end
  end
  return out
end

return M
