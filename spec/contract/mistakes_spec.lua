-- What authors get wrong most often, and what they are told: file and line, what was expected, what came, what was meant.

local gate = require "parley.plugins.gate"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local rings = require "spec.support.rings"
require "parley.plugins.services"

-- In a handler: the mistake is in line 3.
local IN_HANDLER = {
  -- the colon
  { [[c.reply("hi")]], "reply: a colon is missing: c:reply(...), not c.reply(...)" },
  { [[c.t("hello")]], "t: a colon is missing: c:t(...), not c.t(...)" },
  { [[c.enter("state")]], "enter: a colon is missing: c:enter(...), not c.enter(...)" },
  { [[c.kv.get("key")]], "kv:get: a colon is missing: c.kv:get(...)" },
  { [[c.http.get("https://example.org")]], "http:get: a colon is missing: c.http:get(...)" },
  { [[c.log.info("hi")]], "log:info: a colon is missing: c.log:info(...)" },
  { [[c.llm.chat("hi")]], "llm:chat: a colon is missing: c.llm:chat(...)" },
  { [[parley.text().bold("x")]], "text: a colon is missing: parley.text():bold(...)" },
  -- names
  { [[c:replly("hi")]], "attempt to call method 'replly' (a nil value). Did you mean 'reply'?" },
  { [[c.htp:get("x")]], "attempt to index field 'htp' (a nil value). Did you mean 'http'?" },
  { [[c.sesion.x = 1]], "attempt to index field 'sesion' (a nil value). Did you mean 'session'?" },
  { [[c.kv:gett("x")]], "c.kv has no 'gett'. Did you mean 'get'?" },
  { [[c.http:fetch("x")]], "c.http has no 'fetch'" },
  { [[parley.uid()]], "parley has no 'uid'. Did you mean 'uuid'?" },
  { [[count = 1]], "global 'count' is not declared: use 'local count'" },
  { [[print("x")]], "attempt to call global 'print' (a nil value)" },
  -- what is said
  { [[c:reply(nil)]], "reply: text expected, got nothing" },
  { [[c:reply(c.user)]], "reply: there is no field 'id'" },
  { [[c:reply { txt = "hi" }]], "reply: there is no field 'txt'. Did you mean 'text'?" },
  { [[c:reply("hi", { buttons = {} })]], "reply: takes one value: c:reply { text = ..., buttons = ... } has it all" },
  { [[c:reply { text = 5 }]], "reply: text expected, got number" },
  { [[c:reply { text = "x", silent = "yes" }]], "reply: silent: a boolean expected, got a string" },
  { [[c:reply(("x"):rep(20000))]],
    "reply: the text has more than 16384 characters (20000 bytes): cut it, or send it as a file (c.files:put)" },
  { [[c:reply { text = "x", buttons = "Yes" }]], "reply: buttons: a table expected, got a string" },
  { [[c:reply { text = "x", buttons = { { text = "Yes" } } }]],
    "reply: row 1 of the buttons is no list of buttons: { { { text = ... } } }" },
  { [[c:reply { text = "x", buttons = { { "Yes" } } }]],
    "reply: a button is a table, { text = ..., data = { ... } }, got string" },
  { [[c:reply { text = "x", buttons = { { { label = "Yes" } } } }]], "reply: a button: there is no field 'label'; there are: "
    .. "data, plugin, text, url" },
  { [[c:reply { text = "x", buttons = { { { data = { go = "a" } } } } }]], "reply: a button has no text" },
  { [[c:reply { text = "x", buttons = { { { text = "Yes", data = "yes" } } } }]],
    "reply: a button: data: a table expected, got a string" },
  { [[c:reply { text = "x", buttons = { { { text = "Yes", data = { yes = 1 } } } } }]],
    "reply: nobody takes the press of the button 'Yes': there is no p.on.callback for { yes = number }" },
  { [[c:edit("new text")]], "edit: text expected, got nothing" },
  { [[c:delete()]], "delete: the id of a message expected, got nothing" },
  { [[c:notify(nil, "x")]], "notify: the id of a user expected, got nothing" },
  { [[return "Hello"]], "on.any has returned a string, which nobody hears: say it by c:reply(...)", line = 2 },
  { [[return { text = "Hello" }]], "on.any has returned a table, which nobody hears: say it by c:reply(...)", line = 2 },
  { [[return c:reply(nil)]], "in on.any: reply: text expected, got nothing", line = 2 },
  { [[c:t(nil)]], "t: the key of a text expected, got nil" },
  { [[parley.text():bold(nil)]], "text: a text expected, got nil" },
  { [[parley.text():link("x", "example.org")]], "text:link: a URL with http:// or https:// expected, got 'example.org'" },
  { [[c:emit("two words")]], "emit: a name of letters, digits, _ and . expected, at most 64, got 'two words'" },
  { [[c:set_locale("e")]], "set_locale: a locale like 'uk' or 'uk-UA' expected, or nil, got 'e'" },
  -- what is kept
  { [[c.session.f = function() end]], "session.f is a function, which cannot be kept in a session" },
  { [[c.session[1] = 2]], "session: its keys are strings, got the number 1" },
  { [[c.kv:set("k")]], "kv:set: a value expected, got nothing: kv:delete takes one away" },
  { [[c.kv:get(5)]], "kv:get: a key expected, got number" },
  { [[c.kv:set("k", 1, { tll = 5 })]], "kv:set: there is no field 'tll'. Did you mean 'ttl'?" },
  -- where it goes on
  { [[c:enter("sate")]],
    "enter: there is no p.on.state(\"sate\", ...), nor a p.conversation of this name. Did you mean 'state'?" },
  { [[c:ask("Name?")]], "this waits for an answer, which only the code of a p.conversation can" },
  { [[c:menu("man")]], "menu: there is no p.menu(\"man\", ...). Did you mean 'main'?" },
  { [[c:schedule("tick")]], "schedule: a table like { in_ = 3600, job = ... } expected, got string" },
  { [[c:schedule { job = "tick" }]], "schedule: in_ (seconds) or at (unix seconds) expected" },
  { [[c:schedule { after = 5, job = "tick" }]], "schedule: there is no field 'after'; there are: at, data, id, in, in_, job" },
  { [[c:schedule { in_ = "5", job = "tick" }]], "schedule: in_: a number expected, got a string" },
  { [[c:schedule { in_ = 5, job = "tock" }]], "schedule: there is no p.on.job(\"tock\", ...). Did you mean 'tick'?" },
  { [[c:every { seconds = 5, job = "tick" }]], "every: seconds from 60 (a minute) to 31622400 (a year) expected, got 5" },
  { [[c:unschedule()]], "unschedule: an id of letters, digits and _ . : - expected, at most 64, got 'nil'" },
  { [[c:invoke { name = "shop" }]], "invoke: the name of a plugin, or { intent = name }, expected" },
  -- services
  { [[c.http:get(nil)]], "http:get: a URL expected, got nothing" },
  { [[c.http:post("https://example.org", {}, "json")]], "http: a table of options expected, got string" },
  { [[c.llm:chat()]], "llm:chat: a text, or { messages = ... }, expected, got nothing" },
  { [[c:history("5")]], "history: a positive whole number expected, got 5" },
  { [[c:download("file")]], "download: the payload of a message with a file expected, got string" },
  { [[parley.json.decode(nil)]], "json.decode: a text expected, got nil" },
  { [[error(select(2, c.kv:get("x")).message, 0)]],
    "in on.any: 'kv.get' needs the permission 'kv': add it to \"permissions\" in manifest.json", line = 2 },
}

-- Across coroutines: the line inside, and the one that has resumed it.
local IN_COROUTINES = {
  { [[local f = coroutine.wrap(function() error "oops" end) f()]], "oops (in a coroutine, resumed at evil/main.lua:3)" },
  { [[local f = coroutine.wrap(function() c:reply() end)
      for i = 1, 2 do f() end]], "reply: text expected, got nothing (in a coroutine, resumed at evil/main.lua:4)" },
  { [[local f = coroutine.wrap(function() local g = coroutine.wrap(function() c.replly() end)
      g() end) f()]], "attempt to call field 'replly' (a nil value). Did you mean 'reply'?"
    .. " (in a coroutine, resumed at evil/main.lua:4)" },
  { [[pcall(coroutine.wrap(function() error "caught" end)) error "other"]], "other", exactly = true },
}

-- While it is loaded: in line 2.
local AT_LOAD = {
  { [[p.on.command("/start", function() end)]],
    "on.command: its name without the slash, like 'order', expected, got '/start'" },
  { [[p.on.command("start")]], "on.command 'start': a function expected, got nothing" },
  { [[p.on.comand("start", function() end)]], "p.on has no 'comand'. Did you mean 'command'?" },
  { [[p.on.message(function() end)]], "p.on has no 'message'" },
  { [[p.conversatoin("x", function() end)]], "p has no 'conversatoin'. Did you mean 'conversation'?" },
  { [[p.on.text("(", function() end)]], "on.text: unfinished capture" },
  { [[p.on.callback("go", function() end)]], "on.callback: { field = \"type\" } or \"*\" expected, got 'go'" },
  { [[p.on.callback({ go = "strnig" }, function() end)]],
    "on.callback: go: string, int, number, bool or enum(a,b) expected, got 'strnig'. Did you mean 'string'?" },
  { [[p.on.command("x", { rol = "admin" }, function() end)]], "on.command 'x': there is no field 'rol'. Did you mean 'role'?" },
  { [[p.on.job("x", function() end) p.on.job("x", function() end)]], "on.job 'x' is registered twice" },
  { [[p.on.error("oops")]], "on.error: a function expected, got string" },
  { [[p.conversation("x", { cancle = false }, function() end)]],
    "conversation 'x': there is no field 'cancle'. Did you mean 'cancel'?" },
  { [[p.conversation("x", { cancel = "stop" }, function() end)]],
    "conversation 'x': cancel: a list of words, or false, expected, got string" },
  { [[p.menu("main menu", function() end)]], "menu: a name like 'main' expected, got 'main menu'" },
  { [[p.migrate("1", function() end)]],
    "migrate: the version of the data that it begins from expected, like 1, got 1" },
  { [[require "helpers"]], "no module 'helpers': require finds the files of this plugin's lib/ only" },
  { [[parley.plugin()]], "parley.plugin() is called twice" },
}

-- In the code of a conversation: in line 3.
local IN_CONVERSATION = {
  { [[c.ask("Name?")]], "ask: a colon is missing: c:ask(...), not c.ask(...)" },
  { [[c:ask()]], "ask: the text of the question expected, got nil" },
  { [[c:ask("n?", { ass = "int" })]], "ask: there is no option 'ass'. Did you mean 'as'?" },
  { [[c:ask("n?", { as = "integer" })]],
    "ask: as = 'integer': text, int, number, date, time, email or phone expected" },
  { [[c:ask("n?", { min = "1" })]], "ask: option 'min': a number expected, got string" },
  { [[c:choose("Which?", "a, b")]], "choose: a list of 1 to 100 choices expected" },
  { [[c:confirm("Sure?", "yes")]], "confirm: a table of options expected, got string" },
  { [[c:wait("1h")]], "wait: seconds expected, at most a year" },
  { [[coroutine.wrap(function() error "x" end)()]],
    "x (in a coroutine, resumed at evil/main.lua:3) (conversation 'c', before its first question)" },
  { [[coroutine.wrap(function() c:ask "x" end)()]],
    "this waits for an answer, which a coroutine of your own cannot" },
}

-- What the function of a menu gives: its line is that of p.menu, the second.
local OF_MENUS = {
  { [[return nil]], "menu 'main': a table with a text and rows expected, got nothing" },
  { [[return { rows = {} }]], "menu 'main': its text is missing" },
  { [[return { text = "x", buttons = {} }]], "menu 'main': there is no field 'buttons'" },
  { [[return { text = "x", rows = { { text = "a" } } }]], "menu 'main': each row is a list of buttons" },
  { [[return { text = "x", rows = { { { text = "a", menu = "mian" } } } }]],
    "menu 'main': the button 'a' leads to 'mian', but there is no p.menu(\"mian\", ...). Did you mean 'main'?" },
  { [[return { text = "x", rows = { { { text = "a", data = { go = 1 } } } } }]],
    "menu 'main': nobody takes the press of the button 'a': there is no p.on.callback for { go }" },
}

local MANIFEST = [[{"schema":"v1alpha","name":"evil","version":"1.0.0","api":"1","transport":"lua"}]]

local REQUEST = {
  event = { type = "text", message = { type = "text", text = "hello" } },
  dialog = { id = "d", state = {}, locale = "en" }, user = { id = "u", locale = "en" }, config = {},
  trace_id = ("0"):rep(32),
}

local MORE = [[
p.on.state("state", function() end)
p.on.job("tick", function() end)
return p]]

local function handler(code)
  return "local p = parley.plugin()\np.on.any(function(c)\n" .. code
    .. "\nend)\np.menu('main', function() return { text = 'x' } end)\np.conversation('c', function() end)\n" .. MORE
end

local function conversation(code)
  return "local p = parley.plugin()\np.conversation('c', function(c)\n" .. code
    .. "\nend)\np.on.any(function(c) c:enter 'c' end)\n" .. MORE
end

local function menu(code)
  return "local p = parley.plugin()\np.menu('main', function(c)\n" .. code
    .. "\nend)\np.on.any(function(c) c:menu 'main' end)\n" .. MORE
end

for _, ring in ipairs(rings) do
  describe("in the " .. ring.name .. " ring, a mistake", function()
    local m = assert(manifest.check(MANIFEST))

    -- What the author is told of a plugin that is loaded and gets one message.
    local function told(main)
      local driver, err = lua_driver.new(m, { main = main, lib = {} }, { ring = ring.name })
      if not driver then return err.message end
      local door = gate.door { manifest = m, waited = {} }
      local answer
      answer, err = driver:invoke(REQUEST, door)
      driver:close()
      return answer and "nothing" or err.message
    end

    local function check(what, cases, make, line)
      for _, case in ipairs(cases) do
        it(what .. ": " .. case[1], function()
          local expected = ("evil/main.lua:%d: %s"):format(case.line or line, case[2])
          local got = told(make(case[1]))
          assert.equal(expected, case.exactly and got or got:sub(1, #expected))
        end)
      end
    end

    check("in a handler", IN_HANDLER, handler, 3)
    check("in a coroutine of a handler", IN_COROUTINES, handler, 3)
    check("in a conversation", IN_CONVERSATION, conversation, 3)
    check("of a menu", OF_MENUS, menu, 2)
    check("at load", AT_LOAD, function(code) return "local p = parley.plugin()\n" .. code .. "\nreturn p" end, 2)
  end)
end
