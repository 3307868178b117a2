-- Which plugin answers: candidates in order, found by lookup, not by asking each plugin.

local M = {}
M.__index = M

local function push(map, key, plugin)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  list[#list + 1] = plugin
end

---@param plugins table[] {name, manifest, state}
function M.compile(plugins)
  local self = setmetatable({ by_name = {}, commands = {}, intents = {}, patterns = {} }, M)
  local sorted = {}
  for i, p in ipairs(plugins) do sorted[i] = p end
  table.sort(sorted, function(a, b)
    if a.manifest.priority ~= b.manifest.priority then
      return a.manifest.priority > b.manifest.priority
    end
    return a.name < b.name
  end)
  for _, p in ipairs(sorted) do
    self.by_name[p.name] = p
    for _, c in ipairs(p.manifest.commands) do push(self.commands, c.name, p) end
    for _, intent in ipairs(p.manifest.intents) do push(self.intents, intent.name, p) end
    for _, pattern in ipairs(p.manifest.patterns) do
      self.patterns[#self.patterns + 1] = { pattern = pattern, plugin = p }
    end
  end
  return self
end

local function one_of(list, value)
  for _, v in ipairs(list) do if v == value then return true end end
  return false
end

local function fits(p, input)
  local when = p.manifest.when
  if not when then return true end
  return (not when.channels or one_of(when.channels, input.channel))
    and (not when.roles or one_of(when.roles, input.role))
    and (not when.locales or one_of(when.locales, input.locale))
end

---@param input {text, type, payload, channel, role, locale, owner, intent, verdict}
---@return table[] candidates in order, active before degraded, without what is disabled
function M:choose(input)
  local active, degraded, seen = {}, {}, {}
  local function add(p)
    if not p or seen[p.name] or not fits(p, input) then return end
    seen[p.name] = true
    if p.state == "active" then active[#active + 1] = p end
    if p.state == "degraded" then degraded[#degraded + 1] = p end
  end
  local function add_all(list) for _, p in ipairs(list or {}) do add(p) end end

  if input.verdict and input.verdict.plugin then add(self.by_name[input.verdict.plugin]) end
  local text = input.text or ""
  local command = text:match "^/([%w_]+)"
  if command then add_all(self.commands[command]) end
  if input.type == "callback" and input.payload and input.payload.plugin then
    add(self.by_name[input.payload.plugin])
  end
  if input.owner then add(self.by_name[input.owner]) end
  for _, entry in ipairs(self.patterns) do
    if text:find(entry.pattern) then add(entry.plugin) end
  end
  local intent = input.intent
  if intent and intent.name then
    for _, p in ipairs(self.intents[intent.name] or {}) do
      local threshold = 0.5
      for _, i in ipairs(p.manifest.intents) do
        if i.name == intent.name and i.threshold then threshold = i.threshold end
      end
      if intent.confidence >= threshold then add(p) end
    end
  end
  for _, p in ipairs(degraded) do active[#active + 1] = p end
  return active
end

return M
