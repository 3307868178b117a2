-- The context `c` of a handler: what the event is, and the ways to answer it.
--
-- Runs inside the sandboxed state of a plugin, before it. Actions are collected and leave with the
-- answer, in the transaction of the turn; services (c.kv, c.http, ...) wait at the door.

local plugin_name, locales = ...
local host, freeze, array_mt = host, freeze, array_mt

local C = {}

local function misuse(level, fmt, ...) error(fmt:format(...), level + 1) end

-- session -----------------------------------------------------------------------------------------

-- What may be kept: JSON. Checked where it is written, so that the error is at the author's line;
-- returns what is wrong.
local function check_json(v, path, depth)
  local t = type(v)
  if t == "nil" or t == "boolean" or t == "string" or v == null then return nil end
  if t == "number" then
    local finite = v == v and v ~= math.huge and v ~= -math.huge
    return not finite and path .. " is not a finite number" or nil
  end
  if t ~= "table" then return ("%s is a %s, which cannot be kept in a session"):format(path, t) end
  if getmetatable(v) then return path .. " has a metatable, which cannot be kept in a session" end
  if depth == 16 then return path .. " is nested too deep, or is a cycle" end
  for k, item in pairs(v) do
    local problem = check_json(item, path .. "." .. tostring(k), depth + 1)
    if problem then return problem end
  end
end

-- Reads fall through to what was stored; writes are kept beside it as the patch of the answer.
local function session(stored, patch)
  return setmetatable({}, {
    __index = function(_, key)
      local v = patch[key]
      if v == nil then v = stored[key] end
      if v == null then return nil end
      -- A nested table may be changed in place: hand it out as part of the patch.
      if type(v) == "table" and patch[key] == nil then patch[key] = v end
      return v
    end,
    __newindex = function(_, key, value)
      if type(key) ~= "string" then misuse(2, "the keys of a session are strings") end
      local problem = check_json(value, "session." .. key, 1)
      if problem then misuse(2, "%s", problem) end
      if value == nil then value = null end
      patch[key] = value
    end,
    __metatable = false,
  })
end

-- locales -----------------------------------------------------------------------------------------

-- Plural categories (CLDR) of the locales that ship.
local function slavic(n)
  if n % 1 ~= 0 then return "other" end
  local d, h = n % 10, n % 100
  if d == 1 and h ~= 11 then return "one" end
  if d >= 2 and d <= 4 and (h < 12 or h > 14) then return "few" end
  return "many"
end
local PLURAL = {
  en = function(n) return n == 1 and "one" or "other" end,
  ru = slavic,
  uk = slavic,
}

local names = {} -- of the locales, in an order that is always the same
for name in pairs(locales) do names[#names + 1] = name end
table.sort(names)

-- uk-UA, then uk, then en, then whichever has it; and the language of the text that was found,
-- whose plurals it has.
local function lookup(locale, key)
  local language = locale:match "^%a+" or "en"
  for _, name in ipairs { locale, language, "en", unpack(names) } do
    local texts = locales[name]
    if texts and texts[key] ~= nil then return texts[key], name:match "^%a+" end
  end
end

function C:t(key, params)
  if params ~= nil and type(params) ~= "table" then
    misuse(2, "t: a table of values expected, got %s", type(params))
  end
  local text, language = lookup(self.locale, key)
  if text == nil then return key end
  if type(text) == "table" then
    local n = params and type(params.n) == "number" and params.n or 0
    local rule = PLURAL[language] or PLURAL.en
    text = text[rule(n)] or text.other or text.many or key
  end
  local unwritable
  text = text:gsub("{(%w+)}", function(name)
    local v = params and params[name]
    if v == nil then return "{" .. name .. "}" end
    local good, written = pcall(tostring, v)
    if good then return written end
    unwritable = name
  end)
  if unwritable then misuse(2, "t: the __tostring of '%s' fails", unwritable) end
  return text
end

-- actions -----------------------------------------------------------------------------------------

local function add(self, action)
  local list = self._actions
  if #list == 50 then misuse(3, "more than 50 actions in one answer") end
  list[#list + 1] = action
end

local function check_text(text, what)
  if type(text) ~= "string" then
    misuse(3, "%s: text expected, got %s", what, text == nil and "nothing" or type(text))
  end
  return text
end

-- What a message may have in the place of a text.
local CONTENT = {
  "photo", "document", "voice", "audio", "video", "sticker", "location", "contact", "album", "poll",
}

local function has_content(action)
  for _, kind in ipairs(CONTENT) do if action[kind] ~= nil then return true end end
  return false
end

---c:reply "text", c:reply(parley.text()...) or c:reply { text=, format=, buttons=, ... }
function C:reply(what)
  if type(what) == "table" and getmetatable(what) == false and rawget(what, "parts") then
    what = what:reply()
  end
  if type(what) == "string" or type(what) == "number" then what = { text = tostring(what) } end
  if type(what) ~= "table" then check_text(nil, "reply") end
  local action = { type = "send" }
  for k, v in pairs(what) do action[k] = v end
  if not has_content(action) then check_text(action.text, "reply") end
  add(self, action)
end

function C:edit(message_id, what)
  if type(what) == "string" then what = { text = what } end
  if type(what) ~= "table" then check_text(what, "edit") end
  local action = { type = "edit", message_id = message_id }
  for k, v in pairs(what) do action[k] = v end
  add(self, action)
end

function C:delete(message_id) add(self, { type = "delete", message_id = message_id }) end

---At once where the channel can do it, else with the answer.
function C:typing()
  if host("typing") ~= true then add(self, { type = "typing" }) end
end

---@param text string|nil
---@param options {alert: boolean|nil}|nil
function C:answer(text, options)
  local alert = type(options) == "table" and options.alert or nil
  add(self, { type = "answer_callback", text = text, alert = alert })
end

---A reaction to the message that has come, or to another one of the chat; nil: none any more.
function C:react(emoji, message_id)
  add(self, { type = "react", emoji = emoji, message_id = message_id and tostring(message_id) })
end

---The results of an inline query: the event telegram.inline_query.
function C:answer_inline(results, options)
  if type(results) ~= "table" then misuse(2, "answer_inline: a list of results expected") end
  local action = { type = "answer_inline", results = setmetatable({}, array_mt) }
  for i, result in ipairs(results) do action.results[i] = result end
  for k, v in pairs(options or {}) do action[k] = v end
  add(self, action)
end

---Whether a payment may go on: the event telegram.pre_checkout_query. A text says why not.
function C:answer_checkout(ok)
  local problem = type(ok) == "string" and ok or nil
  add(self, { type = "answer_checkout", ok = ok == true, error = problem })
end

---A method of the Bot API for what has no action: it goes out with the answer, in this chat.
function C:telegram(method, params)
  add(self, { type = "telegram", method = check_text(method, "telegram"), params = params })
end

---One that tells something, or makes what is told: at once.
function C.ask_telegram(_, method, params) return host("telegram.ask", method, params) end

function C:emit(name, data)
  add(self, { type = "event", name = check_text(name, "emit"), data = data })
end

---c:notify(user_id, what): says it in another user's dialog with this bot; true, or nil, err.
function C.notify(_, user_id, what)
  if type(user_id) ~= "string" then misuse(2, "notify: the id of a user expected") end
  if type(what) == "table" and getmetatable(what) == false and rawget(what, "parts") then
    what = what:reply()
  end
  if type(what) == "string" then what = { text = what } end
  if type(what) ~= "table" then misuse(2, "notify: a text or a table expected") end
  local list = setmetatable({}, array_mt)
  for i, one in ipairs(#what > 0 and what or { what }) do
    if type(one) ~= "table" then misuse(2, "notify: item %d is no table", i) end
    local action = { type = "send" }
    for k, v in pairs(one) do action[k] = v end
    list[i] = action
  end
  return host("notify", user_id, list)
end

---c:schedule { in_ = seconds | at = unix seconds, job = name, data = table }
function C:schedule(what)
  if type(what) ~= "table" then misuse(2, "schedule: a table expected") end
  local after = what["in"] or what.in_
  if type(after) ~= "number" and type(what.at) ~= "number" then
    misuse(2, "schedule: 'in' (seconds) or 'at' (unix seconds) expected")
  end
  add(self, {
    type = "schedule", job = check_text(what.job, "schedule: job"), data = what.data,
    ["in"] = after, at = what.at,
  })
end

---c:invoke "plugin" or c:invoke { intent = "name" }: another plugin answers here, in this turn.
function C:invoke(what)
  if type(what) == "string" then what = { plugin = what } end
  if type(what) ~= "table" or (what.plugin == nil) == (what.intent == nil) then
    misuse(2, "invoke: the name of a plugin, or { intent = name }, expected")
  end
  add(self, { type = "invoke", plugin = what.plugin, intent = what.intent })
end

function C:handoff() add(self, { type = "handoff" }) end
function C:close() add(self, { type = "close" }) end
---The user's language from now on, in all dialogs; nil: that of their channel again.
function C:set_locale(locale)
  if locale ~= nil and (type(locale) ~= "string" or not locale:find "^%a%a%a?[%-_%w]*$") then
    misuse(2, "set_locale: a locale like 'uk' or 'uk-UA' expected, or nil")
  end
  add(self, { type = "set_locale", locale = locale })
  if locale then self.locale = locale end
end

---The conversation is over: nothing of its session is kept.
function C:finish() self._end = true end
---Not for this plugin after all: the next one is asked, and nothing that was done here counts.
function C:decline() self._declined = true end

---The next message of this dialog goes to p.on.state(name).
function C:enter(name) self.session.__state = check_text(name, "enter") end
function C:leave() self.session.__state = nil end

function C.history(_, n) return host("history", n or 20) end

-- services ----------------------------------------------------------------------------------------

local function kv(op) return function(_, ...) return host("kv." .. op, ...) end end
C.kv = freeze("kv", { get = kv "get", set = kv "set", delete = kv "delete" })

local http = {}
function http.request(_, request) return host("http", request) end

local function with_options(request, options)
  if options ~= nil and type(options) ~= "table" then
    misuse(3, "http: a table of options expected, got %s", type(options))
  end
  for k, v in pairs(options or {}) do request[k] = v end
  return request
end
for _, method in ipairs { "get", "delete" } do
  http[method] = function(_, url, options)
    local request = with_options({ method = method:upper(), url = url }, options)
    return host("http", request)
  end
end
for _, method in ipairs { "post", "put", "patch" } do
  http[method] = function(_, url, body, options)
    local request = with_options({ method = method:upper(), url = url, body = body }, options)
    return host("http", request)
  end
end
C.http = freeze("http", http)

local files = {}
for _, name in ipairs { "put", "read", "info", "delete" } do
  files[name] = function(_, ...) return host("files." .. name, ...) end
end
C.files = freeze("files", files)

---A file that a user has sent, kept here from now on: the payload of its message.
function C.download(_, what, options) return host("files.download", what, options) end

C.llm = freeze("llm", { chat = function(_, request) return host("llm.chat", request) end })

local log = {}
for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(_, message, fields)
    local good, text = pcall(tostring, message)
    if not good then misuse(2, "log: the __tostring of the message fails") end
    return host("log", level, text, fields)
  end
end
C.log = freeze("log", log)

-- A handle: the gate puts the secret into an outgoing header; it never enters this state.
C.secret = freeze("secret", function(_, name) return { __secret = name } end)

local meta = { __index = C, __metatable = false }

---A context for one event.
local function context(request, extra)
  local patch = {}
  local dialog = request.dialog
  local c = {
    message = request.event.message or {},
    event = request.event,
    user = request.user or {},
    dialog = dialog,
    intent = request.intent,
    config = request.config or {},
    invoked_by = request.invoked_by,
    locale = request.user and request.user.locale or dialog.locale or "en",
    trace_id = request.trace_id,
    session = session(dialog.state or {}, patch),
    _actions = setmetatable({}, array_mt),
    _patch = patch,
  }
  for k, v in pairs(extra or {}) do c[k] = v end
  return setmetatable(c, meta)
end

export("context", context)
parley = {
  name = plugin_name, context = context, log = C.log, methods = C, add = add,
  journal = parley and parley.journal,
}
