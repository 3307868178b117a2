-- p.on: what a plugin registers, and which of it is for an event.

local freeze, check, C = freeze, parley.check, parley.methods
local options, menu, conversation = parley.options, parley.menu, parley.conversation
local misuse = check.misuse

local M = {}

local handlers = {
  command = {}, callback = {}, intent = {}, text = {}, state = {}, job = {}, event = {},
}
M.handlers = handlers

local on = {}

-- Jobs and events do not come from a person who could be told to wait.
local OF_NOBODY = { job = true, event = true }

---@param what string like "on.command 'order'"
local function handler(kind, what, key, given, fn)
  if fn == nil then given, fn = {}, given end
  if type(given) ~= "table" then
    misuse("%s: a table of options expected, got %s", what, type(given))
  end
  if type(fn) ~= "function" then
    misuse("%s: a function expected, got %s", what, fn == nil and "nothing" or type(fn))
  end
  return {
    key = key, what = what, fn = fn, at = check.position(),
    options = options.of(what, given, not OF_NOBODY[kind]),
  }
end

local WORDS = {
  command = "its name without the slash, like 'order'", intent = "its name, like 'order.create'",
  state = "a name like 'amount'", job = "a name like 'remind'", event = "a name like 'order.paid'",
}

-- One handler per name: a second one would never be heard.
local function by_name(kind, pattern)
  on[kind] = function(key, given, fn)
    if type(key) ~= "string" or not key:find(pattern) then
      misuse("on.%s: %s, expected, got '%s'", kind, WORDS[kind], check.show(key))
    end
    if handlers[kind][key] then misuse("on.%s '%s' is registered twice", kind, key) end
    handlers[kind][key] = handler(kind, ("on.%s '%s'"):format(kind, key), key, given, fn)
  end
end
by_name("command", "^[%w_]+$")
by_name("intent", "^[%w_.]+$")
by_name("state", "^[%w_.]+$")
by_name("job", "^[%w_.]+$")
by_name("event", "^[%w_.]+$")

function on.text(pattern, given, fn)
  if type(pattern) ~= "string" then
    misuse("on.text: a pattern expected, got %s", pattern == nil and "nothing" or type(pattern))
  end
  local ok, err = pcall(string.find, "", pattern)
  if not ok then misuse("on.text: %s", (err:gsub("^.-:%d+: ", ""))) end
  handlers.text[#handlers.text + 1] =
    handler("text", ("on.text '%s'"):format(pattern), pattern, given, fn)
end

-- callbacks: typed data ---------------------------------------------------------------------------

local TYPES = {
  string = function(v) return type(v) == "string" end,
  int = function(v) return type(v) == "number" and v % 1 == 0 end,
  number = function(v) return type(v) == "number" end,
  bool = function(v) return type(v) == "boolean" end,
}

local function matches_type(kind, v)
  if TYPES[kind] then return TYPES[kind](v) end
  for choice in kind:match "^enum%((.*)%)$":gmatch "[^,%s]+" do
    if choice == v then return true end
  end
  return false
end

local function check_spec(spec)
  if type(spec) ~= "table" then
    misuse("on.callback: { field = \"type\" } or \"*\" expected, got %s",
      type(spec) == "string" and "'" .. spec .. "'" or type(spec))
  end
  for field, kind in pairs(spec) do
    if type(field) ~= "string" or type(kind) ~= "string" then
      misuse("on.callback: the type of '%s' is no text", check.show(field))
    end
    if not TYPES[kind] and not kind:find "^enum%(.*[^,%s].*%)$" then
      misuse("on.callback: %s: string, int, number, bool or enum(a,b) expected, got '%s'%s", field,
        kind, check.hint(kind, TYPES))
    end
  end
end

---on.callback({ field = "type" }, fn), or on.callback("*", fn) for presses that fit no other.
function on.callback(spec, given, fn)
  if spec == "*" then
    handlers.any_callback = handler("callback", "on.callback '*'", "*", given, fn)
    return
  end
  check_spec(spec)
  local what = "on.callback { " .. check.list(spec) .. " }"
  handlers.callback[#handlers.callback + 1] = handler("callback", what, spec, given, fn)
end

function on.any(given, fn)
  if handlers.any then misuse "on.any is registered twice" end
  handlers.any = handler("any", "on.any", "any", given, fn)
end

function on.error(fn)
  if type(fn) ~= "function" then
    misuse("on.error: a function expected, got %s", fn == nil and "nothing" or type(fn))
  end
  if handlers.error then misuse "on.error is registered twice" end
  handlers.error = fn
end

setmetatable(on, { __index = function(_, key)
  misuse("p.on has no '%s'%s", check.show(key), check.hint(key, on))
end })
M.on = freeze("on", on)

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

-- which of them -----------------------------------------------------------------------------------

---The handler for an event and its further arguments.
---@param request table
---@param state string|nil where a conversation of p.on.state is
---@return table|nil handler
---@return any ...
function M.find(request, state)
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
  if event.type == "menu" then return menu and menu.asked(event) end
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

---Whether a text is a command of this plugin.
---@return boolean
function M.is_command(text)
  local command = text:match "^/([%w_]+)"
  return command ~= nil and handlers.command[command] ~= nil
end

-- what the checks of other parts ask --------------------------------------------------------------

check.registered.job = handlers.job
function check.registered.takes(data)
  return (handlers.any_callback or find_callback(data)) ~= nil
end
function check.registered.waits()
  local out = {}
  for name in pairs(handlers.state) do out[name] = true end
  for _, name in ipairs(conversation and conversation.names() or {}) do out[name] = true end
  return out
end

-- what an author may have meant -------------------------------------------------------------------

local FIELDS = {
  "message", "event", "user", "dialog", "intent", "config", "locale", "trace_id", "session",
}

-- Lua says what was nil; which name was meant it cannot know.
---@param problem string
---@return string problem with the name that is near, when there is one
function M.meant(problem)
  local name = problem:match "attempt to call method '([%w_]+)' %(a nil value%)"
    or problem:match "attempt to index field '([%w_]+)' %(a nil value%)"
    or problem:match "attempt to call field '([%w_]+)' %(a nil value%)"
  if not name or C[name] then return problem end
  local known = {}
  for key in pairs(C) do known[key] = true end
  for _, key in ipairs(FIELDS) do known[key] = true end
  return problem .. check.hint(name, known)
end

parley.handlers = M
