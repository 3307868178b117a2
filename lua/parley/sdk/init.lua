-- `parley`, as a plugin sees it, and the calls of the host: an event to be handled, what the plugin
-- has registered, its self check, its migrations.

local host, freeze, clock_ms, array_mt = host, freeze, clock_ms, array_mt
local tracing_pcall, traced = tracing_pcall, traced
local check, context = parley.check, parley.context
local name, new_text, log, menu = parley.name, parley.text, parley.log, parley.menu
local conversation = parley.conversation -- nil, like parley.menu: the plugin has none
local options, all = parley.options, parley.handlers
local handlers, misuse = all.handlers, check.misuse

local steps = {} -- of p.migrate, by the version that each begins from

-- an event ----------------------------------------------------------------------------------------

-- A handler's result is nobody's: what was meant to be said would be lost without a word.
local function check_result(c, h, result)
  if #c._actions > 0 or c._begin or c._declined or c._end then return end
  local said = type(result) == "string" or type(result) == "table" and type(result.text) == "string"
  if not said then return end
  error(("%s%s has returned a %s, which nobody hears: say it by c:reply(...)"):format(h.at or "",
    h.what, type(result)), 0)
end

-- Where the author's own frame is gone, the handler's line is the nearest.
local function placed(err, h)
  if type(err) ~= "string" then return err end
  err = all.meant(err) .. check.resumed(err)
  if check.is_placed(err) or not h.at then return err end
  return ("%sin %s: %s"):format(h.at, h.what, err)
end

local function call(c, h, ...)
  local result = h.fn(c, ...)
  if result ~= nil and h.what then check_result(c, h, result) end
end

-- Which calls have led to an error, for the log: more than the place that the error names itself.
local function tell_trace(err)
  local trace = traced()
  if not trace or not trace:find(",", 1, true) then return end
  host("log", "warn", "an error was raised", {
    traceback = trace, error = type(err) == "string" and err or nil,
  })
end

-- assert(c.http:get(url)) raises the table of the error.
local function words_of(err)
  if type(err) ~= "table" then return err end
  local code, message = rawget(err, "code"), rawget(err, "message")
  if type(message) ~= "string" then return err end
  return type(code) == "string" and ("%s (%s)"):format(message, code) or message
end

local function run(c, request, h, ...)
  local ok, err = tracing_pcall(call, c, h, ...)
  if not ok then tell_trace(err) end
  if ok and c._begin then ok, err = pcall(conversation.begin, c, request) end
  if ok and menu and c.event.type == "callback" then ok, err = pcall(menu.refresh, c) end
  if ok then return end
  if not handlers.error then error(placed(words_of(err), h), 0) end
  err = placed(err, h)
  handlers.error(c, type(err) == "table" and err or { code = "exception", message = tostring(err) })
end

local function go(c, request, h, ...)
  if not h or not options.admit(c, h) then return false end
  if not options.within_limit(c, h) then return true end
  if h.options.typing then c:typing() end
  run(c, request, h, ...)
  return true
end

export("dispatch", function(request)
  local c = context(request)
  local answer = conversation and conversation.find(request, all.is_command)
  local handled
  if answer then
    handled = go(c, request, answer)
  else
    handled = go(c, request, all.find(request, c.session.__state))
  end
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
  out.any, out.menu = handlers.any ~= nil, menu and menu.names()
  out.conversation = conversation and conversation.names()
  out.migrate = {}
  for from in pairs(steps) do out.migrate[#out.migrate + 1] = from end
  return out
end)

-- before it serves --------------------------------------------------------------------------------

local own_check, check_at

local function self_check(fn)
  if type(fn) ~= "function" then misuse("self_check: a function expected, got %s", type(fn)) end
  if own_check then misuse "self_check is called twice" end
  own_check, check_at = fn, check.position()
end

export("self_check", function(config)
  if not own_check then return true end
  local ok, err = pcall(own_check, { config = config, log = log })
  if ok then return true end
  -- The table of an error says no line: then it is that of p.self_check.
  if type(err) == "table" then err = err.message or err.code end
  local text = check.show(err)
  local where, what = text:match("^(" .. name .. "/[^:]+:%d+: )(.*)$")
  error((where or check_at) .. "the self check failed: " .. (what or text), 0)
end)

-- data of older versions --------------------------------------------------------------------------

local function migrate(from, fn)
  if type(from) ~= "number" or from < 1 or from % 1 ~= 0 then
    misuse("migrate: the version of the data that it begins from expected, like 1, got %s",
      check.show(from))
  end
  if type(fn) ~= "function" then misuse("migrate: a function expected, got %s", type(fn)) end
  if steps[from] then misuse("migrate: a step from version %d is there", from) end
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

-- What p has when its parts are loaded.
local OF_PLUGIN = {
  on = true, menu = true, conversation = true, self_check = true, migrate = true,
}

-- A name that is near one of these was meant to be it; others are the author's own.
local function with_hints(what, t, known)
  return setmetatable(t, { __index = function(_, key)
    local hint = rawget(known, key) == nil and check.hint(key, known) or ""
    if hint ~= "" then misuse("%s has no '%s'%s", what, key, hint) end
  end })
end

local created = false

local module = {
  name = name,
  plugin = function()
    if created then misuse "parley.plugin() is called twice" end
    created = true
    return with_hints("p", {
      on = all.on, menu = menu and menu.register, self_check = self_check, migrate = migrate,
      conversation = conversation and conversation.register,
    }, OF_PLUGIN)
  end,
  text = new_text,
  now = function() return clock_ms() / 1000 end,
  uuid = function() return host "uuid" end,
  json = freeze("parley.json", {
    encode = function(v) return host("json.encode", v) end,
    decode = function(s)
      if type(s) ~= "string" then misuse("json.decode: a text expected, got %s", type(s)) end
      return host("json.decode", s)
    end,
  }),
}
parley = freeze("parley", with_hints("parley", module, module))
