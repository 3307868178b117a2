-- Plugins against the SDK, which is loaded into their state before them: its tables, its context, what it hands on.
--
-- `handler` is the body of p.on.any(function(c) ... end); `main` a whole main.lua instead. Every attack is an event, or
-- `events` of them; `must` is about the last one: `answers` is its response, `fails` the code of its error and `says` part
-- of the text, `refused` part of the text that the plugin is not loaded with.

local function answer(actions, state) return { actions = actions, state = state or {} } end
local function send(text) return { type = "send", text = text } end

return {
  { name = "writes parley", handler = "parley.plugin = nil", must = { fails = "exception", says =
    "main.lua:2: the library table 'parley' is read-only (writing 'plugin')" } },
  { name = "writes parley with rawset", handler = "rawset(parley, 'uuid', 1)", must = { fails = "exception", says =
    "main.lua:2: the library table 'parley' is read-only" } },
  { name = "writes parley.json", handler = "parley.json.encode = nil", must = { fails = "exception", says =
    "main.lua:2: the library table 'parley.json' is read-only (writing 'encode')" } },
  { name = "writes a service of its context", handler = "c.kv.get = nil", must = { fails = "exception", says =
    "main.lua:2: the library table 'kv' is read-only (writing 'get')" } },
  { name = "writes a service of its context with table.insert", handler = "table.insert(c.http, 1)",
    must = { fails = "exception", says = "read-only" } },
  { name = "writes where handlers are registered", main = "local p = parley.plugin() p.on.any = nil return p",
    must = { refused = "main.lua:1: the library table 'on' is read-only (writing 'any')" } },
  { name = "declares a global for later events", handler = "seen = c.user", must = { fails = "exception", says =
    "main.lua:2: global 'seen' is not declared: use 'local seen'" } },
  { name = "gets at the class of texts by a text", handler = "parley.text().__index.bold = nil",
    must = { fails = "exception", says =
    "main.lua:2: attempt to index field '__index' (a nil value)" } },
  { name = "gets at the metatables of context, session, secrets and texts",
    must = { answers = answer { send "false false false false" } },
    handler = "c:reply(table.concat({ tostring(getmetatable(c)), tostring(getmetatable(c.session)), " ..
      "tostring(getmetatable(c.secret)), tostring(getmetatable(parley.text())) }, ' '))" },
  { name = "gives its context another metatable", handler = "setmetatable(c, { __index = string })",
    must = { fails = "exception", says =
    "main.lua:2: cannot change a protected metatable" } },
  { name = "takes the methods of its context away, for later events", events = 2,
    handler = "local r = c.reply c.reply = nil r(c, 'still here')",
    must = { answers = answer { send "still here" } } },
  { name = "writes secrets", handler = "c.secret.crm = 'mine'", must = { fails = "exception", says =
    "main.lua:2: the library table 'secret' is read-only (writing 'crm')" } },
  { name = "writes secrets with rawset", handler = "rawset(c.secret, 'crm', 'mine')", must = { fails = "exception", says =
    "main.lua:2: the library table 'secret' is read-only" } },
  { name = "reads a secret", handler = "c:reply(type(c.secret.crm) .. ' ' .. tostring(c.secret.crm))",
    must = { answers = answer { send "table table" } } },
  { name = "keeps an object with a metatable in a session",
    handler = "c.session.x = { y = setmetatable({}, { __index = error }) }",
    must = { fails = "exception", says = "main.lua:2: session.x.y has a metatable, which cannot be kept in a session" } },
  { name = "keeps a cycle in a session", handler = "local t = {} t.t = t c.session.x = t",
    must = { fails = "exception", says = "is nested too deep, or is a cycle" } },
  { name = "keeps a small table that unfolds without end in a session",
    handler = "local t = {} for i = 1, 14 do t = { t, t, t, t, t } end c.session.x = t",
    must = { fails = "cpu_limit" } },
  { name = "keeps a function in a session", handler = "c.session.x = { pcall }",
    must = { fails = "exception", says = "main.lua:2: session.x.1 is a function, which cannot be kept in a session" } },
  { name = "keeps no number in a session", handler = "c.session.x = 0/0",
    must = { fails = "exception", says = "session.x is not a finite number" } },
  { name = "keeps a number as a name in a session", handler = "c.session[1] = 1",
    must = { fails = "exception", says = "main.lua:2: session: its keys are strings, got the number 1" } },
  { name = "puts a function into its session behind the check", handler = "c.session.t = {} c.session.t.f = pcall",
    must = { fails = "invalid_response", says = "$.state.t.f: a function cannot cross" } },
  { name = "gives its session a hook",
    handler = "c.session = setmetatable({}, { __index = function() while true do end end }) c:reply 'x'",
    must = { answers = answer { send "x" } } },
  { name = "gives its actions a hook",
    handler = "c._actions = setmetatable({}, { __index = function() while true do end end })",
    must = { fails = "invalid_response", says = "$.actions: a table with a metatable cannot cross" } },
  { name = "answers with more actions than one may", handler = "for i = 1, 51 do c:reply 'x' end",
    must = { fails = "exception", says =
    "main.lua:2: more than 50 actions in one answer" } },
  { name = "answers with more values than may cross",
    handler = "local t = {} for i = 1, 70000 do t[i] = i end c:emit('x', t)",
    must = { fails = "too_large", says = "$.actions[1].data: too many values" } },
  { name = "answers with functions as the data of buttons",
    main = "local p = parley.plugin() p.on.callback('*', function() end) p.on.any(function(c) "
      .. "c:reply { text = 'x', buttons = { { { text = 'b', data = { pcall } } } } } end) return p",
    must = { fails = "invalid_response", says = "$.actions[1].buttons[1][1].data[1]: a function cannot cross" } },
  { name = "answers with a table as a name of its data", handler = "c:emit('e', { [{}] = 1 })",
    must = { fails = "invalid_response", says = "$.actions[1].data: a table as a key cannot cross" } },
  { name = "answers with an object that has hooks", must = { answers = answer { send "own" } },
    handler = "c:reply(setmetatable({ text = 'own' }, { __index = function() while true do end end, __pairs = error }))" },
  { name = "answers with what only says that it is a text of the SDK",
    handler = "c:reply(setmetatable({ reply = function() return 5 end }, { __metatable = false }))",
    must = { fails = "exception", says = "main.lua:2: reply: there is no field 'reply'" } },
  { name = "answers with no text", handler = "c:reply { text = {} }",
    must = { fails = "exception", says = "main.lua:2: reply: text expected, got table" } },
  { name = "logs what never ends when it is printed", must = { fails = "cpu_limit" },
    handler = "c.log:info(setmetatable({}, { __tostring = function() while true do end end }))" },
  { name = "raises what never ends when it is printed", must = { fails = "exception", says = "error value of type table" },
    handler = "error(setmetatable({}, { __tostring = function() while true do end end }))" },
  { name = "raises in its own error handler", must = { fails = "exception", says = "main.lua:3: again" }, main =
    "local p = parley.plugin()\np.on.any(function() error 'first' end)\np.on.error(function() error 'again' end)\nreturn p" },
  { name = "never ends in its own error handler", must = { fails = "cpu_limit" }, main =
    "local p = parley.plugin() p.on.any(function() error 'first' end) p.on.error(function() while true do end end) return p" },
  { name = "waits for words by a pattern that is none",
    main = "local p = parley.plugin()\np.on.text('(', function() end) return p",
    must = { refused = "main.lua:2: on.text: unfinished capture" } },
  { name = "waits for words by a pattern that backtracks without end", must = { fails = "cpu_limit" },
    text = ("a"):rep(2000), main =
    "local p = parley.plugin() p.on.text(('.-'):rep(20) .. 'b', function() end) return p" },
  { name = "waits for buttons by types that are none",
    main = "local p = parley.plugin()\np.on.callback({ a = { match = error } }, function() end) return p",
    must = { refused = "main.lua:2: on.callback: the type of 'a' is no text" } },
  { name = "asks for a plugin twice", main = "parley.plugin()\nparley.plugin()",
    must = { refused = "main.lua:2: parley.plugin() is called twice" } },
  { name = "uses the door while it is loaded", must = { answers = answer { send "permission" } }, main =
    "local p = parley.plugin() local _, err = parley.json.encode {} p.on.any(function(c) c:reply(err.code) end) return p" },
  { name = "never ends while it is loaded", main = "while true do end",
    must = { refused = "used more CPU time than its limit" } },
  { name = "fills its memory while it is loaded", main = "local t = {} while true do t = { t } end",
    must = { refused = "limit" } },
  { name = "answers a later event by the context of an earlier one", events = 2, must = { answers = answer { send "second" } },
    main = [[
    local p, kept = parley.plugin(), nil
    p.on.any(function(c)
      if kept then kept:reply "forged" kept.session.stolen = true c:reply "second" end
      kept = kept or c
    end)
    return p]] },
  { name = "changes whose dialog it is",
    handler = "c.dialog.id, c.user.id, c.event.dialog_id = 'other', 'other', 'other' c:reply 'x'",
    must = { answers = answer { send "x" } } },
  { name = "leaves something for the event after its end", events = 2, must = { answers = answer { send "1" } }, main = [[
    local p, n = parley.plugin(), 0
    p.on.any(function(c)
      n = n + 1
      if c.message.text == "first" then while true do end end
      c:reply(tostring(n))
    end)
    return p]], texts = { "first", "second" }, first = "cpu_limit" },
  { name = "has a job that comes after its end", must = { answers = answer { send "job 1" } }, main = [[
    local p, n = parley.plugin(), 0
    p.on.any(function(c) n = n + 1 local t = {} while true do t = { t } end end)
    p.on.job("later", function(c) n = n + 1 c:reply("job " .. n) end)
    return p]], events = 2, first = "memory_limit", job = "later" },
}
