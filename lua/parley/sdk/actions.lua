-- The ways of a context to answer. Actions are collected and leave with the answer of the event, in
-- the transaction of the turn.

local host, array_mt = host, array_mt
local check, messages, C = parley.check, parley.messages, parley.methods
local misuse, mine = check.misuse, check.context

local ACTIONS_MAX = 50

local function add(self, action)
  local list = self._actions
  if #list == ACTIONS_MAX then misuse("more than %d actions in one answer", ACTIONS_MAX) end
  list[#list + 1] = action
end
parley.add = add

local function check_id(what, id)
  if type(id) == "string" or type(id) == "number" then return tostring(id) end
  misuse("%s: the id of a message expected, got %s", what, id == nil and "nothing" or type(id))
end

local function check_table(what, v)
  if v ~= nil and type(v) ~= "table" then misuse("%s: a table expected, got %s", what, type(v)) end
  return v
end

---c:reply "text", c:reply(parley.text()...) or c:reply { text=, format=, buttons=, ... }
function C:reply(what, ...)
  mine(self, "reply")
  if (...) ~= nil then
    misuse "reply: takes one value: c:reply { text = ..., buttons = ... } has it all"
  end
  add(self, messages.action("reply", "send", what))
end

function C:edit(message_id, what)
  mine(self, "edit")
  local action = messages.action("edit", "edit", what)
  action.message_id = check_id("edit", message_id)
  add(self, action)
end

function C:delete(message_id)
  mine(self, "delete")
  add(self, { type = "delete", message_id = check_id("delete", message_id) })
end

---At once where the channel can do it, else with the answer.
function C:typing()
  mine(self, "typing")
  if host("typing") ~= true then add(self, { type = "typing" }) end
end

---@param text string|nil
---@param options {alert: boolean|nil}|nil
function C:answer(text, options)
  mine(self, "answer")
  if text ~= nil then messages.text("answer", text) end
  local o = check_table("answer: options", options) or {}
  check.fields("answer", o, { alert = "boolean" })
  add(self, { type = "answer_callback", text = text, alert = o.alert })
end

---A reaction to the message that has come, or to another one of the chat; nil: none any more.
function C:react(emoji, message_id)
  mine(self, "react")
  add(self, {
    type = "react", emoji = emoji, message_id = message_id and check_id("react", message_id),
  })
end

---The results of an inline query: the event telegram.inline_query.
function C:answer_inline(results, options)
  mine(self, "answer_inline")
  if type(results) ~= "table" then
    misuse("answer_inline: a list of results expected, got %s", type(results))
  end
  local action = { type = "answer_inline", results = setmetatable({}, array_mt) }
  for i, result in ipairs(results) do action.results[i] = result end
  for k, v in pairs(check_table("answer_inline: options", options) or {}) do action[k] = v end
  add(self, action)
end

---Whether a payment may go on: the event telegram.pre_checkout_query. A text says why not.
function C:answer_checkout(ok)
  mine(self, "answer_checkout")
  local problem = type(ok) == "string" and ok or nil
  add(self, { type = "answer_checkout", ok = ok == true, error = problem })
end

---A method of the Bot API for what has no action: it goes out with the answer, in this chat.
function C:telegram(method, params)
  mine(self, "telegram")
  add(self, {
    type = "telegram", method = messages.text("telegram", method),
    params = check_table("telegram: parameters", params),
  })
end

---One that tells something, or makes what is told: at once.
function C:ask_telegram(method, params)
  mine(self, "ask_telegram")
  return host("telegram.ask", method, params)
end

local function check_name(what, name)
  messages.text(what, name)
  if #name <= 64 and name:find "^[%w_.]+$" then return name end
  misuse("%s: a name of letters, digits, _ and . expected, at most 64, got '%s'", what, name)
end

function C:emit(name, data)
  mine(self, "emit")
  add(self, {
    type = "event", name = check_name("emit", name), data = check_table("emit: data", data),
  })
end

---c:notify(user_id, what): says it in another user's dialog with this bot; true, or nil, err.
function C:notify(user_id, what)
  mine(self, "notify")
  if type(user_id) ~= "string" then
    misuse("notify: the id of a user expected, got %s",
      user_id == nil and "nothing" or type(user_id))
  end
  local list = setmetatable({}, array_mt)
  local many = type(what) == "table" and not messages.is_built(what) and #what > 0
  for i, one in ipairs(many and what or { what == nil and false or what }) do
    list[i] = messages.action("notify", "send", one)
  end
  return host("notify", user_id, list)
end

---c:invoke "plugin" or c:invoke { intent = "name" }: another plugin answers here, in this turn.
function C:invoke(what)
  mine(self, "invoke")
  if type(what) == "string" then what = { plugin = what } end
  if type(what) ~= "table" or (what.plugin == nil) == (what.intent == nil) then
    misuse "invoke: the name of a plugin, or { intent = name }, expected"
  end
  add(self, { type = "invoke", plugin = what.plugin, intent = what.intent })
end

function C:handoff()
  mine(self, "handoff")
  add(self, { type = "handoff" })
end

function C:close()
  mine(self, "close")
  add(self, { type = "close" })
end

---The user's language from now on, in all dialogs; nil: that of their channel again.
function C:set_locale(locale)
  mine(self, "set_locale")
  if locale ~= nil and (type(locale) ~= "string" or not locale:find "^%a%a%a?[%-_%w]*$") then
    misuse("set_locale: a locale like 'uk' or 'uk-UA' expected, or nil, got '%s'",
      check.show(locale))
  end
  add(self, { type = "set_locale", locale = locale })
  if locale then self.locale = locale end
end

---The conversation is over: nothing of its session is kept.
function C:finish()
  mine(self, "finish")
  self._end = true
end

---Not for this plugin after all: the next one is asked, and nothing that was done here counts.
function C:decline()
  mine(self, "decline")
  self._declined = true
end

---The next message of this dialog goes to p.on.state(name).
function C:enter(name)
  mine(self, "enter")
  messages.text("enter", name)
  local known = check.registered.waits()
  if not known[name] then
    misuse("enter: there is no p.on.state(\"%s\", ...), nor a p.conversation of this name%s", name,
      check.hint(name, known))
  end
  self.session.__state = name
end

function C:leave()
  mine(self, "leave")
  self.session.__state = nil
end
