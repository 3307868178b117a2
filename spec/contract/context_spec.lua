-- What handlers are called by, and what a context can do: each once, in both rings, with what comes of it.

local fs = require "host.fs"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"

local LOCALES = {
  ["locales/en.json"] = [[{"hello": "Hello, {name}!", "left": {"one": "{n} left", "other": "{n} left of many"}}]],
  ["locales/uk.json"] = [[{"hello": "Вітаю, {name}!", "left": {"one": "{n} лишилась", "few": "{n} лишилися",
    "many": "{n} лишилось", "other": "{n} лишилося"}}]],
}

-- A command whose code is `code`, and what it answers: a text that must be equal, or a function of the response.
local CASES = {
  { "c:reply 'text'", "text" },
  { "c:reply(parley.text():bold('<b>'):add(' & '):link('x', 'https://example.org'))", function(r)
    assert.equal("<b> & x", r.text)
    assert.same({ "bold", "text_link" }, { r.actions[1].entities[1].type, r.actions[1].entities[2].type })
  end },
  { "c:reply { text = parley.text():code('a'):line(), silent = true }", function(r)
    assert.same({ "a\n", "entities", true }, { r.text, r.actions[1].format, r.actions[1].silent })
  end },
  { "c:reply { text = '**x**', format = 'markdown' }", function(r) assert.equal("markdown", r.actions[1].format) end },
  { "c:edit('m1', 'new') c:delete(7) c:typing() c:answer('done', { alert = true })", function(r)
    assert.same({ "edit m1", "delete 7", "answer_callback done" }, {
      r.actions[1].type .. " " .. r.actions[1].message_id, r.actions[2].type .. " " .. r.actions[2].message_id,
      r.actions[#r.actions].type .. " " .. r.actions[#r.actions].text,
    })
  end },
  { "c:reply(c:t('hello', { name = c.user.name }))", "Hello, Ann!" },
  { "c:reply(c:t('left', { n = 1 }) .. c:t('left', { n = 3 }))", "1 left3 left of many" },
  { "c:set_locale 'uk' c:reply(c:t('left', { n = 1 }) .. c:t('left', { n = 3 }) .. c:t('left', { n = 5 }) .. c:t 'nothing')",
    "1 лишилась3 лишилися5 лишилосьnothing" },
  { "c:reply(c.user.role .. ' ' .. c.user.name .. ' ' .. c.dialog.channel .. ' ' .. c.locale)", "user Ann api en" },
  { "c:reply(c.message.text .. ' ' .. c.event.type .. ' ' .. #c.trace_id .. ' ' .. c.config.colour)", "/case9 text 32 blue" },
  { "c.session.list = { 1 } c.session.list[2] = 2 c:reply(tostring(#c.session.list))", "2" },
  { "c:reply(tostring(#assert(c:history(5))))", "0" },
  { "assert(c.kv:set('k', { 1 }, { scope = 'user' })) c:reply(#c.kv:get('k', { scope = 'user' }) .. '')", "1" },
  { "assert(c.kv:set('k', 1)) assert(c.kv:delete 'k') c:reply(tostring(c.kv:get 'k'))", "nil" },
  { "local r = assert(c.http:get(c.config.url .. 'a', { auth = c.secret.shop })) c:reply(r.status .. ' ' .. r.json.said)",
    "200 GET /a Bearer s3cret" },
  { "local r = assert(c.http:post(c.config.url, { a = 1 })) c:reply(r.json.said)", "POST / -" },
  { "local r = assert(c.http:put(c.config.url, 'x')) c:reply(r.json.said)", "PUT / -" },
  { "local r = assert(c.http:request { method = 'DELETE', url = c.config.url }) c:reply(r.json.said)", "DELETE / -" },
  { "local r, err = c.http:get 'https://example.org/' c:reply(err.code)", "permission" },
  { "c:reply(assert(c.llm:chat 'hi').text)", function(r) assert.is_true(#r.text > 0) end },
  { "c:emit('order.paid', { n = 1 }) c:reply 'x'", "x" },
  { "c:schedule { in_ = 60, job = 'later', id = 'a' } c:reply 'x'", "x" },
  { "assert(c:every { seconds = 60, job = 'later', id = 'b' }) c:reply 'x'", "x" },
  { "c:reply(#assert(c:scheduled()) .. assert(c:scheduled())[1].id)", "2a" },
  { "c:unschedule 'a' c:unschedule 'b' c:reply 'x'", "x" },
  { "c:reply(#assert(c:scheduled()) .. '')", "0" },
  { "assert(c.log:info('said', { n = 1 })) c:reply 'x'", "x" },
  { "local f = assert(c.files:put('abc', { name = 'a' })) c:reply(c.files:read(f, 1, 1) .. assert(c.files:info(f)).size)",
    "b3" },
  { "local ok, err = c:notify('nobody', 'x') c:reply(err.code)", "user_not_found" },
  { "c:enter 'asking' c:reply 'which?'", "which?" },
  { "c:enter('talk', { n = 2 })", "2?" },
  { "c:menu('main', { n = 1 })", "menu 1" },
  { "c:keyboard { text = 'Menu', rows = { { 'Help' } } }", "Menu" },
  { "c:invoke 'echoes'", "echoed by all" },
  { "c:handoff() c:reply 'x'", "x" },
  { "c:finish() c:reply(parley.json.encode(parley.json.decode '[1]') .. #parley.uuid() .. type(parley.now()))", "[1]36number" },
  { "c:decline()", function(r) assert.equal("fallback", r.status) end },
  { "error 'oops'", "sorry: oops" },
}

local function source()
  local out = { "local p = parley.plugin()" }
  for i, case in ipairs(CASES) do out[#out + 1] = ("p.on.command('case%d', function(c) %s end)"):format(i - 1, case[1]) end
  out[#out + 1] = [[
    p.on.text("^order (%d+) (%a+)$", function(c, n, what) c:reply(n .. " x " .. what) end)
    p.on.intent("weather.ask", function(c, intent) c:reply(intent.name .. " " .. intent.source) end)
    p.on.callback({ go = "enum(a,b)", n = "int" }, function(c, data) c:reply("pressed " .. data.go .. data.n) end)
    p.on.callback("*", function(c, data) c:reply("any press " .. tostring(data.odd)) end)
    p.on.event("order.paid", function(c, data) c:reply("paid " .. data.n) end)
    p.on.state("asking", function(c, text) c:leave() c:reply("state " .. text) end)
    p.on.job("later", function() end)
    p.on.any(function(c, text) c:reply("any " .. (text or "")) end)
    p.on.error(function(c, err) c:reply("sorry: " .. err.message:match ": (.*)$") end)
    p.menu("main", function(c, args) return { text = "menu " .. args.n } end)
    p.conversation("talk", function(c, args) c:reply("got " .. c:ask(args.n .. "?")) end)
    return p]]
  return table.concat(out, "\n")
end

for _, ring in ipairs { "trusted", "isolated" } do
  describe("in the " .. ring .. " ring", function()
    local h, server
    setup(function()
      server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req, method, path)
        local said = ("%s %s %s"):format(method, path, req:header "authorization" or "-")
        req:respond(200, "Content-Type: application/json\r\n", json.encode { said = said })
      end))
      local commands = {}
      for i = 1, #CASES do commands[i] = { name = "case" .. i - 1 } end
      h = host.start {
        config = ([[return { plugin_ring = '%s', secrets = { shop = 's3cret' }, plugins = { all = { allow_private = true,
          colour = 'blue', url = 'http://127.0.0.1:%d/' } } }]]):format(ring, server:port()),
        plugins = {
          all = { main = source(), files = LOCALES, manifest = {
            commands = commands, patterns = { "^order ", "^any" }, secrets = { "shop" },
            intents = { { name = "weather.ask", examples = { "what is the weather like", "how is the weather" } } },
            permissions = {
              "kv", "history", "jobs", "events", "files", "notify", "llm:chat", "http:127.0.0.1:" .. server:port(),
            },
            events = { "order.paid" },
          } },
          echoes = {
            main = "local p = parley.plugin() p.on.any(function(c) c:reply('echoed by ' .. c.invoked_by) end) return p",
          },
        },
      }
    end)
    teardown(function()
      h:stop()
      server:close()
    end)

    local n = 0
    local function send(message, dialog)
      n = n + 1
      message.user = { external_id = "ann", name = "Ann" }
      local r = h:request("POST", "/api/v1/dialogs/" .. (dialog or "e" .. n) .. "/messages", message)
      assert.equal(200, r.status, r.text)
      return r.body
    end

    for i, case in ipairs(CASES) do
      it("a handler may: " .. case[1], function()
        h:request("POST", "/api/v1/users", { external_id = "ann", name = "Ann" })
        -- What is scheduled is looked at by the cases after it, in their dialog.
        local dialog = case[1]:find "schedule" or case[1]:find "every" and "jobs"
        local r = send({ type = "text", text = "/case" .. i - 1 }, dialog and "jobs")
        if type(case[2]) == "string" then assert.equal(case[2], r.text) else case[2](r) end
        if case[1]:find "set_locale" then h.core.db:commit { { "UPDATE users SET chosen_locale = NULL" } } end
      end)
    end

    it("each kind of handler is called", function()
      assert.equal("12 x tea", send({ type = "text", text = "order 12 tea" }).text)
      assert.matches("^weather.ask ", send({ type = "text", text = "how is the weather" }).text)
      local function press(data) return send({ type = "callback", payload = { plugin = "all", data = data } }).text end
      assert.equal("pressed b3", press { go = "b", n = 3 })
      assert.equal("any press nil", press { go = "c", n = 3 })
      assert.equal("any press 1", press { odd = 1 })
      assert.equal("paid 5", send({ type = "event", payload = { plugin = "all", name = "order.paid", data = { n = 5 } } }).text)
      assert.equal("any anyone", send({ type = "text", text = "anyone" }).text)
      send({ type = "text", text = "/case29" }, "s")
      assert.equal("state tea", send({ type = "text", text = "tea" }, "s").text)
      send({ type = "text", text = "/case30" }, "t")
      assert.equal("got tea", send({ type = "text", text = "tea" }, "t").text)
    end)
  end)
end

describe("the list of what a context can do", function()
  -- What only Telegram has is in spec/channels/special_spec.lua; questions in conversation_spec.lua.
  local ELSEWHERE = {
    "react", "answer_inline", "answer_checkout", "telegram", "ask_telegram", "download", "ask", "choose", "confirm", "wait",
    "close", "close_menu", "leave",
  }

  it("is that of the definitions for editors", function()
    local said = {}
    for _, name in ipairs(ELSEWHERE) do said[name] = true end
    for _, case in ipairs(CASES) do
      for name in case[1]:gmatch "c:([%l_]+)" do said[name] = true end
    end
    local missing = {}
    for name in fs.read("templates/editor/types/context.lua"):gmatch "function Context:([%l_]+)" do
      if not said[name] then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
  end)
end)
