-- Conversations: straight-line code that waits for people (p.conversation, c:ask and its kind).
--
-- What there is of one while it waits stands in the session, under `__talk`: {id, name, args, ms,
-- user, first, log, wait, open, whole, till, bundle}. `first` is the message that it has begun
-- with, `log` the journal (sdk/journal), `wait` what it waits for, `open` whether a message is an
-- answer, `whole` whether all of it is; `bundle` is the host's: the code that it has come this far
-- with.

local host, array_mt, journal = host, array_mt, parley.journal
local context, C, check = parley.context, parley.methods, parley.check
local misuse = check.misuse
local yield, running = coroutine.yield, coroutine.running

local conversations = {}
local WAIT = {}      -- what the code of a conversation yields
local OTHERS = { event = true, menu = true, continue = true } -- nothing that a person has said
local WAKE = "__talk" -- the job that comes when a time is over

local M = {}

local TEXTS = {
  cancelled = { en = "Cancelled.", ru = "Отменено.", uk = "Скасовано." },
  stale = {
    en = "This question was answered before.", ru = "На этот вопрос ответ уже есть.",
    uk = "На це питання вже є відповідь.",
  },
  long = {
    en = "That is too long for me. Please send less.",
    ru = "Это слишком много. Пришлите, пожалуйста, покороче.",
    uk = "Це забагато. Надішліть, будь ласка, коротше.",
  },
  over = {
    en = "Something has changed here, and we have to begin again. Sorry!",
    ru = "Здесь кое-что изменилось, и нужно начать заново. Извините!",
    uk = "Тут дещо змінилося, і треба почати заново. Вибачте!",
  },
}

local function say(c, key)
  local texts = TEXTS[key]
  return texts[(c.locale or "en"):match "^%a+"] or texts.en
end

-- Words that end a conversation, unless it wants others, or none.
local CANCEL = { "cancel", "отмена", "скасувати" }

local function fold_cyrillic(code)
  if code >= 0x410 and code <= 0x42F then return code + 0x20 end
  if code >= 0x400 and code <= 0x40F then return code + 0x50 end
  return code == 0x490 and 0x491 or code
end

local FOLD_MAX = 1024 -- bytes: what is longer is no word and no label, and not worth the time

---Small letters, of the alphabets of the locales that ship; what is long stays as it is.
function M.fold(text)
  if #text > FOLD_MAX then return text end
  text = text:lower():gsub("^%s+", ""):gsub("%s+$", "")
  if not text:find "[\208\210]" then return text end
  local out = {}
  for _, code in utf8.codes(text) do out[#out + 1] = utf8.char(fold_cyrillic(code)) end
  return table.concat(out)
end

local OPTIONS = { cancel = "any", cancelled = "function" }

local function words_of(name, given)
  if given == nil then given = CANCEL end
  local out = {}
  if given ~= false and type(given) ~= "table" then
    misuse("conversation '%s': cancel: a list of words, or false, expected, got %s", name,
      type(given))
  end
  for _, word in ipairs(given or {}) do
    if type(word) ~= "string" then
      misuse("conversation '%s': cancel: words expected, got %s", name, type(word))
    end
    out[M.fold(word)] = true
  end
  return out
end

---p.conversation("book", function(c, args) ... end), with options { cancel = { "stop" } or false,
---cancelled = function(c) ... end }.
function M.register(name, options, fn)
  if fn == nil then options, fn = {}, options end
  if type(name) ~= "string" or not name:find "^[%w_.]+$" or #name > 64 then
    misuse("conversation: a name like 'book' expected, got '%s'", check.show(name))
  end
  if type(options) ~= "table" then
    misuse("conversation '%s': a table of options expected, got %s", name, type(options))
  end
  if type(fn) ~= "function" then
    misuse("conversation '%s': a function expected, got %s", name,
      fn == nil and "nothing" or type(fn))
  end
  check.fields(("conversation '%s'"):format(name), options, OPTIONS)
  if conversations[name] then misuse("conversation '%s' is registered twice", name) end
  conversations[name] = {
    fn = fn, words = words_of(name, options.cancel), options = options, at = check.position(),
  }
end

---@return string[] names
function M.names()
  local out = {}
  for name in pairs(conversations) do out[#out + 1] = name end
  return out
end

-- while it runs -----------------------------------------------------------------------------------

-- What a conversation keeps in variables is kept by its journal; its session is read through it.
local function session_of(c, player)
  return setmetatable({}, {
    __index = function(_, key)
      return (player:record("session " .. check.show(key), function() return c.session[key] end))
    end,
    __newindex = function(_, key, value)
      if player:is_live() then c.session[key] = journal.copy(value) end
    end,
    __metatable = false,
  })
end

local function person(user)
  return { id = user.id, name = user.name, locale = user.locale, role = user.role }
end

-- What it sees of the event that it has come to: the same now as when it is run again.
local function show(cc, message, user)
  cc.message, cc.user = message or {}, user
  cc.event = { type = cc.message.type or "job", message = message }
  cc.locale = user.locale or cc.locale
  -- Until it is live nobody hears it a second time.
  cc._actions = setmetatable({}, array_mt)
end

local function go_live(cc, c)
  cc._actions, cc.locale, cc._end, cc._declined = c._actions, c.locale, nil, nil
end

---Waits for the next answer, in the code of a conversation.
---@param cc table its context
---@param what string what it waits for, like "ask How many?"
---@param o {timeout: number|nil, open: boolean, whole: boolean|nil} open: a message is an answer;
---  whole: all that is in it, also what is long
---@return table|nil message nil: the time is over
function M.wait(cc, what, o)
  local talk = cc._talk
  if not talk then
    misuse("this waits for an answer, which only the code of a p.conversation can")
  elseif running() ~= talk.co then
    misuse("this waits for an answer, which a coroutine of your own cannot")
  end
  local player = talk.player
  what = what:sub(1, 80)
  if player:is_live() then
    talk.waits = { what = what, timeout = o.timeout, open = o.open, whole = o.whole }
    yield(WAIT) -- and never comes back
  end
  local entry = player:next(what)
  player.moment.ms = entry.ms
  local user = entry.u or cc.user
  show(cc, journal.copy(entry.m), user)
  if player:is_live() then go_live(cc, talk.c) end
  return entry.m and cc.message
end

---@type integer bytes of a text that is an answer
M.TEXT_MAX = 4096
local PAYLOAD_MAX = 4096
local ANSWER_MAX = 16384

-- A message as the journal keeps it. What is too long for an answer is refused by the question, now
-- and when it is run again: it need not be kept to its end.
local function brief(message, whole)
  local text, payload = message.text, message.payload
  if not whole and text and #text > M.TEXT_MAX then
    local last = M.TEXT_MAX + 4
    while text:find("^[\128-\191]", last + 1) do last = last - 1 end
    text = text:sub(1, last)
  end
  if not whole and payload and journal.size(payload) > PAYLOAD_MAX then payload = nil end
  return { type = message.type, text = text, payload = payload, message_id = message.message_id }
end

-- its end, or its next wait -----------------------------------------------------------------------

local function forget(c) c._patch.__talk, c._patch.__state = null, null end

local function keep(c, stored, talk)
  local waits = talk.waits
  stored.log, stored.wait = talk.player.log, waits.what
  stored.open, stored.whole = waits.open or nil, waits.whole or nil
  c._patch.__talk, c._patch.__state = stored, waits.open and stored.name or null
  -- The host ends a wait that nobody answers; one that has its own time ends by that.
  stored.till = waits.timeout and journal.now_ms() + waits.timeout * 1000 + 3600000 or nil
  if waits.timeout then
    c._wake = { ["in"] = waits.timeout, data = { talk = stored.id, at = #stored.log } }
  end
end

-- What cannot be played again would fail with every message from now on.
local function refuse(c, request, stored, problem)
  if request.moved then
    problem = ("%s. It has begun with code that does not run any more: %s"):format(problem,
      request.moved)
  end
  host("log", "error", problem, { conversation = stored.name })
  forget(c)
  c:reply(say(c, "over"))
end

-- How far it was: the line alone does not say how it was come to.
local function whereabouts(stored)
  local last
  for _, entry in ipairs(stored.log) do last = entry.e or last end
  return (" (conversation '%s', %s)"):format(stored.name,
    last and ("after the answer to '%s'"):format(last) or "before its first question")
end

local function play(c, request, stored)
  local conversation = conversations[stored.name]
  if not conversation then
    return refuse(c, request, stored,
      ("there is no p.conversation(\"%s\", ...) any more"):format(stored.name))
  end
  local player = journal.player(stored.log, stored.id, stored.ms)
  player.moved = request.moved ~= nil
  if player:problem() then return refuse(c, request, stored, player:problem()) end
  local talk = { player = player, c = c, id = stored.id }
  local cc = context(request, { session = session_of(c, player), _talk = talk })
  cc.intent, cc.invoked_by = nil, nil -- of an event that it may be past
  show(cc, journal.copy(stored.first), stored.user)
  if player:is_live() then go_live(cc, c) end
  talk.co = coroutine.create(conversation.fn)
  local _, ok, what = player:run(coroutine.resume, talk.co, cc, journal.copy(stored.args))
  if player.broken then return refuse(c, request, stored, player.broken) end
  if not ok then
    if type(what) == "string" then what = what .. check.resumed(what) .. whereabouts(stored) end
    error(what, 0)
  end
  if coroutine.status(talk.co) ~= "dead" then
    if what == WAIT then return keep(c, stored, talk) end
    error(("the conversation '%s' has yielded: only c:ask and its kind may wait for people")
      :format(stored.name), 0)
  elseif not player:is_live() then
    local problem = "the conversation '%s' has ended, and waited for '%s' before"
    return refuse(c, request, stored, problem:format(stored.name, stored.wait))
  end
  forget(c)
  c._end, c._declined, c._begin = cc._end, cc._declined, cc._begin
end

---Begins the conversation that c:enter has asked for.
function M.begin(c, request)
  while c._begin do
    local wanted = c._begin
    c._begin = nil
    play(c, request, {
      id = host("uuid"):gsub("-", ""):sub(-12), name = wanted.name, args = wanted.args,
      ms = journal.now_ms(), user = person(c.user), first = brief(c.message),
      log = setmetatable({}, array_mt),
    })
  end
end

-- events ------------------------------------------------------------------------------------------

local function with(fn) return { options = {}, fn = fn } end

local function same(a, b)
  return a.id == b.id and a.name == b.name and a.locale == b.locale and a.role == b.role
end

---@param message table|nil nil: its time is over
local function go_on(request, stored, message)
  return with(function(c)
    local log, user = stored.log, person(c.user)
    local last = stored.user
    for _, entry in ipairs(log) do last = entry.u or last end
    log[#log + 1] = {
      e = stored.wait, ms = journal.now_ms(), m = message, u = not same(last, user) and user or nil,
    }
    play(c, request, stored)
    M.begin(c, request)
  end)
end

local function cancel(request, stored)
  return with(function(c)
    forget(c)
    local cancelled = conversations[stored.name] and conversations[stored.name].options.cancelled
    if cancelled then cancelled(c) else c:reply(say(c, "cancelled")) end
    M.begin(c, request)
  end)
end

local function ends_it(stored, text)
  local conversation = conversations[stored.name]
  if not conversation or conversation.options.cancel == false then return false end
  local word = M.fold(text)
  return word == "/cancel" or conversation.words[word] == true
end

local function pressed(request, stored, data)
  if not stored or data.__talk ~= stored.id or data.at ~= #stored.log then
    return with(function(c) c:answer(say(c, "stale")) end)
  end
  return go_on(request, stored, { type = "callback", payload = { data = { v = data.v } } })
end

---Who takes an event that belongs to a conversation.
---@param request table
---@param is_command fun(text: string): boolean a command of the plugin is no answer
---@return table|nil handler nil: it is for others
function M.find(request, is_command)
  local event, message = request.event, request.event.message or {}
  local stored = request.dialog.state and request.dialog.state.__talk
  if event.type == "job" then
    if event.job ~= WAKE then return nil end
    local data = event.data or {}
    -- It was answered in time.
    if not stored or data.talk ~= stored.id or data.at ~= #stored.log then
      return with(function() end)
    end
    return go_on(request, stored, nil)
  end
  if event.type == "callback" then
    local data = message.payload and message.payload.data
    if type(data) ~= "table" or data.__talk == nil then return nil end
    return pressed(request, stored, data)
  end
  if OTHERS[event.type] or not stored or not stored.open then return nil end
  if request.intent and request.intent.source == "plugin" then return nil end
  local text = message.text or ""
  if is_command(text) then return nil end
  if ends_it(stored, text) then return cancel(request, stored) end
  local answer = brief(message, stored.whole)
  if journal.size(answer) > ANSWER_MAX then
    return with(function(c) c:reply(say(c, "long")) end)
  end
  return go_on(request, stored, answer)
end

local enter, leave = C.enter, C.leave

---Begins a conversation when the handler is done; or p.on.state(name) has the next message.
function C:enter(name, args)
  check.context(self, "enter")
  if not conversations[name] then return enter(self, name) end
  if args ~= nil and type(args) ~= "table" then
    misuse("enter: a table of arguments expected, got %s", type(args))
  end
  self._begin = { name = name, args = journal.copy(args) }
end

---The next message is nobody's answer any more: a state is left, a conversation ended.
function C:leave()
  if self._talk then misuse("leave: the code of a conversation ends it by return") end
  leave(self)
  self._patch.__talk = null
end

---Lets time pass: seconds, minutes or days, over restarts. Messages meanwhile go to handlers.
function C:wait(seconds)
  check.context(self, "wait")
  if type(seconds) ~= "number" or seconds ~= seconds or seconds <= 0 or seconds > 366 * 86400 then
    misuse("wait: seconds expected, at most a year")
  end
  M.wait(self, "wait", { timeout = seconds, open = false })
end

parley.conversation = M
