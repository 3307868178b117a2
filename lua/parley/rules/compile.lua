-- The rules, inside their sandboxed state: checks the table of conf/rules.lua once, then answers
-- for each message. Trusted, loaded before conf/rules.lua; plain Lua only.
--
-- Rules are asked from top to bottom. Tags and locales of all that fit are collected; the first one
-- that decides (plugin, intent, reply or drop) ends it.

local MATCH = {
  text = true, contains = true, command = true, type = true, channel = true, locale = true,
  role = true, state = true, dialog = true, user = true, bot = true,
}
local ROUTE = {
  plugin = true, intent = true, locale = true, drop = true, reply = true, tags = true,
}
local KEYS = { name = true, match = true, unless = true, route = true }

local rules = {}

local function names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ", ")
end

local function fail(where, fmt, ...) error(where .. ": " .. fmt:format(...), 0) end

local function check_keys(where, what, t, known)
  for key in pairs(t) do
    if not known[key] then
      fail(where, "unknown key '%s' in %s (known: %s)", tostring(key), what, names(known))
    end
  end
end

-- Conditions: a text or a list of texts, any of which may hold.
local function check_conditions(where, what, conditions)
  if type(conditions) ~= "table" then fail(where, "%s: a table expected", what) end
  check_keys(where, what, conditions, MATCH)
  local out = {}
  for key, value in pairs(conditions) do
    if type(value) == "string" then value = { value } end
    if type(value) ~= "table" or #value == 0 then
      fail(where, "%s.%s: a text or a list of texts expected", what, key)
    end
    for i, v in ipairs(value) do
      if type(v) ~= "string" then fail(where, "%s.%s[%d]: a text expected", what, key, i) end
      if key == "text" then
        local ok, problem = pcall(string.find, "", v)
        if not ok then fail(where, "%s.text[%d]: %s", what, i, tostring(problem)) end
      end
    end
    out[key] = value
  end
  return out
end

local function check_verdict(where, what, v)
  if type(v) ~= "table" then fail(where, "%s: a table expected, got %s", what, type(v)) end
  check_keys(where, what, v, ROUTE)
  for _, key in ipairs { "plugin", "intent", "locale", "reply" } do
    if v[key] ~= nil and type(v[key]) ~= "string" then
      fail(where, "%s.%s: a text expected, got %s", what, key, type(v[key]))
    end
  end
  if v.drop ~= nil and type(v.drop) ~= "boolean" then
    fail(where, "%s.drop: true or false expected", what)
  end
  if v.tags ~= nil then
    if type(v.tags) ~= "table" then fail(where, "%s.tags: a list expected", what) end
    for i, tag in ipairs(v.tags) do
      if type(tag) ~= "string" then fail(where, "%s.tags[%d]: a text expected", what, i) end
    end
  end
  return v
end

local function any(list, accepts)
  for i = 1, #list do
    if accepts(list[i]) then return true end
  end
  return false
end

local function holds(key, list, m)
  local text = m.text or ""
  if key == "text" then return any(list, function(p) return text:find(p) ~= nil end) end
  if key == "contains" then
    return any(list, function(s) return text:find(s, 1, true) ~= nil end)
  end
  if key == "command" then
    local command = text:match "^/([%w_]+)"
    return command ~= nil and any(list, function(c) return c:gsub("^/", "") == command end)
  end
  if key == "locale" then -- "uk" is met by uk-UA
    local locale = m.locale or ""
    return any(list, function(l) return locale == l or locale:sub(1, #l + 1) == l .. "-" end)
  end
  local value = m[key]
  return value ~= nil and any(list, function(v) return v == value end)
end

-- All conditions hold.
local function all_hold(conditions, m)
  for key, list in pairs(conditions) do
    if not holds(key, list, m) then return false end
  end
  return true
end

local function compile(i, rule)
  local where = "rule " .. i
  if type(rule) == "function" then
    return function(m)
      local v = rule(m)
      return v and check_verdict(where, "its result", v)
    end, where
  end
  if type(rule) ~= "table" then
    fail(where, "a table or a function expected, got %s", type(rule))
  end
  if rule.name ~= nil then
    if type(rule.name) ~= "string" then fail(where, "name: a text expected") end
    where = where .. " '" .. rule.name .. "'"
  end
  check_keys(where, "the rule", rule, KEYS)
  if rule.route == nil then fail(where, "'route' is missing") end
  local route = check_verdict(where, "route", rule.route)
  local match = rule.match and check_conditions(where, "match", rule.match) or {}
  local unless = rule.unless and check_conditions(where, "unless", rule.unless)
  return function(m)
    if all_hold(match, m) and not (unless and all_hold(unless, m)) then return route end
  end, rule.name or where
end

-- load(rules_table) -> how many there are
export("load", function(given)
  if type(given) ~= "table" then
    error("conf/rules.lua must return a list of rules, got " .. type(given), 0)
  end
  local compiled, count = {}, 0
  for key in pairs(given) do
    count = count + 1
    if type(key) ~= "number" then
      fail("rules", "a list expected, but there is a key '%s'", tostring(key))
    end
  end
  if count ~= #given then fail("rules", "the list has holes") end
  for i, rule in ipairs(given) do
    local f, name = compile(i, rule)
    compiled[i] = { f = f, name = name }
  end
  rules = compiled
  return count
end)

-- evaluate(message) -> verdict, or nothing when no rule fits
export("evaluate", function(message)
  local verdict, tags
  for i = 1, #rules do
    local v = rules[i].f(message)
    if v then
      verdict = verdict or {}
      verdict.locale = verdict.locale or v.locale
      for _, tag in ipairs(v.tags or {}) do
        tags = tags or {}
        tags[#tags + 1] = tag
      end
      if v.plugin or v.intent or v.reply or v.drop then
        verdict.plugin, verdict.intent, verdict.reply, verdict.drop = v.plugin, v.intent, v.reply,
          v.drop
        verdict.rule = rules[i].name
        break
      end
    end
  end
  if verdict then verdict.tags = tags end
  return verdict
end)
