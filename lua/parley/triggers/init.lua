-- Triggers: which events fire which of them. What it remembers of the last events is the caller's;
-- what is done about them is up to parley.triggers.watch.

local patterns = require "host.pattern"

local M = {}
M.__index = M

local KEYS_MAX = 1000 -- sources that one trigger counts for

local RANK = { debug = 1, info = 2, warning = 3, error = 4, critical = 5 }
M.RANK = RANK

---@class parley.Event
---@field id string of its row in audit_logs
---@field source string
---@field action string its name
---@field severity string
---@field trace_id string
---@field details table
---@field at integer milliseconds

---@class parley.Trigger as parley.triggers.file has checked it
---@field id string
---@field events string[] Lua patterns
---@field severity string the least
---@field when table<string, table<any, true>> by "source" or "details.NAME"
---@field count integer
---@field seconds number
---@field by "source"|"all"
---@field pause_seconds number
---@field text table<string, string>|nil by locale
---@field act table[] {kind, target, ...}

---@param list parley.Trigger[]
function M.new(list) return setmetatable({ list = list, known = {} }, M) end

local function hears(trigger, action, severity)
  if RANK[severity] < RANK[trigger.severity] then return false end
  for _, pattern in ipairs(trigger.events) do
    if patterns.fits(action, pattern) then return true end
  end
  return false
end

---Whether any trigger listens to such events.
---@param action string
---@param severity string
---@return boolean
function M:wants(action, severity)
  local key = severity .. " " .. action
  local known = self.known[key]
  if known == nil then
    known = false
    for _, trigger in ipairs(self.list) do known = known or hears(trigger, action, severity) end
    -- Plugins name their own events: nobody may fill the memory with names.
    self.names = (self.names or 0) + 1
    if self.names > KEYS_MAX then self.known, self.names = {}, 1 end
    self.known[key] = known
  end
  return known
end

local function value_of(event, path)
  local name = path:match "^details%.(.+)$"
  if name then return event.details[name] end
  return event[path]
end

local function holds(trigger, event)
  for path, set in pairs(trigger.when) do
    local value = value_of(event, path)
    if value == nil or not set[value] then return false end
  end
  -- What a trigger has caused does not set it off again.
  for _, id in ipairs(type(event.details.triggers) == "table" and event.details.triggers or {}) do
    if id == trigger.id then return false end
  end
  return true
end

-- What a trigger remembers for one source, without what is too old to count.
local function memory_of(memory, trigger, event)
  local mine = memory[trigger.id]
  if not mine or mine.kept > KEYS_MAX then
    mine = { kept = 0, by = {} }
    memory[trigger.id] = mine
  end
  local key = trigger.by == "source" and event.source or ""
  local m = mine.by[key]
  if not m then
    m = { times = {}, quiet_until = 0 }
    mine.by[key], mine.kept = m, mine.kept + 1
  end
  for id, at in pairs(m.times) do
    if at <= event.at - trigger.seconds * 1000 then m.times[id] = nil end
  end
  return m
end

---The triggers that an event sets off. It is counted once, however often it is asked about.
---@param event parley.Event
---@param memory table what is remembered, kept by the caller; empty at first
---@return {trigger: parley.Trigger, count: integer, done: fun()}[] fired done() forgets what was
---  counted, and begins the pause
function M:match(event, memory)
  local fired = {}
  for _, trigger in ipairs(self.list) do
    if hears(trigger, event.action, event.severity) and holds(trigger, event) then
      local m, count = memory_of(memory, trigger, event), 0
      if event.at >= m.quiet_until then
        m.times[event.id] = event.at
        for _ in pairs(m.times) do count = count + 1 end
      end
      if count >= trigger.count then
        fired[#fired + 1] = {
          trigger = trigger, count = count,
          done = function()
            m.times, m.quiet_until = {}, event.at + trigger.pause_seconds * 1000
          end,
        }
      end
    end
  end
  return fired
end

---The text of a trigger about an event: {source}, {event}, {severity}, {trace_id} and the names of
---its details are filled in.
---@param texts table<string, string> by locale
---@param locale string|nil
---@param event parley.Event
---@return string
function M.text(texts, locale, event)
  locale = locale or "en"
  local text = texts[locale] or texts[locale:match "^%a+"] or texts.en or select(2, next(texts))
  return (text:gsub("{([%w_]+)}", function(name)
    local value = name == "event" and event.action or event.details[name]
    if value == nil or type(value) == "table" then value = event[name] end
    return type(value) ~= "table" and value ~= nil and tostring(value) or "-"
  end))
end

return M
