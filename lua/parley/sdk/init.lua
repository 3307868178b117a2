-- `parley`, as a plugin sees it: registering handlers, and the dispatch that the host calls.

local host, freeze, clock_ms, array_mt = host, freeze, clock_ms, array_mt
local context = parley.context
local name, new_text, log, menu = parley.name, parley.text, parley.log, parley.menu
local conversation = parley.conversation -- nil: the plugin has none

local handlers = {
  command = {}, callback = {}, intent = {}, text = {}, state = {}, job = {}, event = {},
}
local on = {}
local steps = {} -- of p.migrate, by the version that each begins from

local function register(list, key, options, fn)
  if fn == nil then options, fn = {}, options end
  if type(fn) ~= "function" then error("a handler function expected", 3) end
  if type(options) ~= "table" then error("handler options: a table expected", 3) end
  list[#list + 1] = { key = key, options = options, fn = fn }
end

-- One handler per name: a second one would never be heard.
local function by_name(kind, pattern)
  on[kind] = function(key, options, fn)
    if type(key) ~= "string" or not key:find(pattern) then
      error(("on.%s: a name expected, got '%s'"):format(kind, tostring(key)), 2)
    end
    if handlers[kind][key] then
      error(("on.%s '%s' is registered twice"):format(kind, key), 2)
    end
    local list = {}
    register(list, key, options, fn)
    handlers[kind][key] = list[1]
  end
end
by_name("command", "^[%w_]+$")
by_name("intent", "^[%w_.]+$")
by_name("state", "^[%w_.]+$")
by_name("job", "^[%w_.]+$")
by_name("event", "^[%w_.]+$")

function on.text(pattern, options, fn)
  if type(pattern) ~= "string" then error("on.text: a pattern expected", 2) end
  local ok, err = pcall(string.find, "", pattern)
  if not ok then error("on.text: " .. err:gsub("^.-:%d+: ", ""), 2) end
  register(handlers.text, pattern, options, fn)
end

---on.callback({ field = "type" }, fn), or on.callback("*", fn) for presses that fit no other.
function on.callback(spec, options, fn)
  if spec == "*" then
    local list = {}
    register(list, "*", options, fn)
    handlers.any_callback = list[1]
    return
  end
  if type(spec) ~= "table" then error("on.callback: { field = \"type\" } expected", 2) end
  for field, kind in pairs(spec) do
    if type(field) ~= "string" or type(kind) ~= "string" then
      error(("on.callback: the type of '%s' is no text"):format(tostring(field)), 2)
    end
  end
  register(handlers.callback, spec, options, fn)
end

function on.any(options, fn)
  if handlers.any then error("on.any is registered twice", 2) end
  local list = {}
  register(list, "any", options, fn)
  handlers.any = list[1]
end

function on.error(fn)
  if type(fn) ~= "function" then error("on.error: a function expected", 2) end
  handlers.error = fn
end

-- callbacks: typed data ---------------------------------------------------------------------------

local function matches_type(kind, v)
  if kind == "string" then return type(v) == "string" end
  if kind == "int" then return type(v) == "number" and v % 1 == 0 end
  if kind == "number" then return type(v) == "number" end
  if kind == "bool" then return type(v) == "boolean" end
  local choices = kind:match "^enum%((.*)%)$"
  if not choices then return false end
  for choice in choices:gmatch "[^,%s]+" do
    if choice == v then return true end
  end
  return false
end

local function find_callback(data)
  if type(data) ~= "table" then return nil end
  for _, h in ipairs(handlers.callback) do
    local fits = true
    for field, kind in pairs(h.key) do
      if not matches_type(kind, data[field]) then fits = false end
    end
    for field in pairs(data) do
      if h.key[field] == nil then fits = false end
    end
    if fits then return h end
  end
end

-- dispatch ----------------------------------------------------------------------------------------

-- The handler for an event and its further arguments.
local function find(request, state)
  local event, message = request.event, request.event.message or {}
  local text = message.text or ""
  local intent = request.intent and request.intent.name
  -- Another plugin asks for just this: what the user has said is no reason to do something else.
  if intent and request.intent.source == "plugin" and handlers.intent[intent] then
    return handlers.intent[intent], request.intent
  end
  if event.type == "job" then
    -- The end of a wait, of a version that had conversations: nobody waits any more.
    if event.job == "__talk" then return { options = {}, fn = function() end } end
    return handlers.job[event.job], event.data
  end
  if event.type == "menu" then return menu.asked(event) end
  if event.type == "event" then return handlers.event[event.name], event.data end
  if event.type == "callback" then
    local data = message.payload and message.payload.data
    return find_callback(data) or handlers.any_callback, data
  end
  local command, rest = text:match "^/([%w_]+)@?%S*%s*(.*)$"
  if command and handlers.command[command] then return handlers.command[command], rest end
  if state and handlers.state[state] then return handlers.state[state], text end
  for _, h in ipairs(handlers.text) do
    local found = { text:find(h.key) }
    if found[1] then return h, unpack(found, 3) end
  end
  if intent and handlers.intent[intent] then return handlers.intent[intent], request.intent end
  return handlers.any, text
end

local function is_command(text)
  local command = text:match "^/([%w_]+)"
  return command ~= nil and handlers.command[command] ~= nil
end

local function run(c, request, h, ...)
  local ok, err = pcall(h.fn, c, ...)
  if ok and c._begin then ok, err = pcall(conversation.begin, c, request) end
  if ok and c.event.type == "callback" then ok, err = pcall(menu.refresh, c) end
  if ok then return end
  if not handlers.error then error(err, 0) end
  handlers.error(c, type(err) == "table" and err or { code = "exception", message = tostring(err) })
end

export("dispatch", function(request)
  local c = context(request)
  local function go(h, ...)
    if not h then return false end
    if h.options.role and h.options.role ~= c.user.role then return false end
    if h.options.typing then c:typing() end
    run(c, request, h, ...)
    return true
  end
  local answer = conversation and conversation.find(request, is_command)
  local handled
  if answer then handled = go(answer) else handled = go(find(request, c.session.__state)) end
  handled = handled and not c._declined
  if not handled then return { actions = setmetatable({}, array_mt), declined = true } end
  return {
    actions = c._actions, state = c._patch, ["end"] = c._end or nil, wake = c._wake,
  }
end)

export("describe", function()
  local out = {}
  for kind, list in pairs(handlers) do
    local names = {}
    if type(list) == "table" and not kind:find "^any" then
      for k, h in pairs(list) do names[#names + 1] = type(k) == "string" and k or h.key end
      out[kind] = names
    end
  end
  out.any, out.menu = handlers.any ~= nil, menu.names()
  out.conversation = conversation and conversation.names()
  out.migrate = {}
  for from in pairs(steps) do out.migrate[#out.migrate + 1] = from end
  return out
end)

-- before it serves --------------------------------------------------------------------------------

-- Where the plugin has called what calls this, like "shop/main.lua:3: ".
local function position()
  for level = 2, 10 do
    local _, where = pcall(error, "", level)
    if where:find("^" .. name .. "/") then return where end
  end
  return ""
end

local check, check_at

local function self_check(fn)
  if type(fn) ~= "function" then error("self_check: a function expected", 2) end
  if check then error("self_check is called twice", 2) end
  check, check_at = fn, position()
end

export("self_check", function(config)
  if not check then return true end
  local ok, err = pcall(check, { config = config, log = log })
  if ok then return true end
  -- The table of an error says no line: then it is that of p.self_check.
  if type(err) == "table" then err = err.message or err.code end
  local text = tostring(err)
  local where, what = text:match("^(" .. name .. "/[^:]+:%d+: )(.*)$")
  error((where or check_at) .. "the self check failed: " .. (what or text), 0)
end)

-- data of older versions --------------------------------------------------------------------------

local function migrate(from, fn)
  if type(from) ~= "number" or from < 1 or from % 1 ~= 0 then
    error("migrate: the version of the data that it begins from expected, like 1", 2)
  end
  if type(fn) ~= "function" then error("migrate: a function expected", 2) end
  if steps[from] then error(("migrate: a step from version %d is there"):format(from), 2) end
  steps[from] = fn
end

export("migrate", function(data, from, to, kind, job)
  for version = from, to - 1 do
    local step = steps[version]
    if not step then
      error(("%s/main.lua: there is no p.migrate(%d, ...)"):format(name, version), 0)
    end
    local changed = step(data, kind, job)
    if changed ~= nil then data = changed end
    if type(data) ~= "table" then
      error(("%s/main.lua: p.migrate(%d, ...) must give a table, not a %s"):format(name, version,
        type(data)), 0)
    end
  end
  return data
end)

-- the module --------------------------------------------------------------------------------------

local created = false

parley = freeze("parley", {
  name = name,
  plugin = function()
    if created then error("parley.plugin() is called twice", 2) end
    created = true
    return {
      on = freeze("on", on), menu = menu.register, self_check = self_check, migrate = migrate,
      conversation = conversation and conversation.register,
    }
  end,
  text = new_text,
  now = function() return clock_ms() / 1000 end,
  uuid = function() return host "uuid" end,
  json = freeze("parley.json", {
    encode = function(v) return host("json.encode", v) end,
    decode = function(s) return host("json.decode", s) end,
  }),
})
