-- Plugins that misbehave in every way that a sandbox must hold: a typed error, the fallback answers, nobody
-- else notices, and the plugin works again at its next event.

local circuit = require "parley.plugins.circuit"
local host = require "spec.support.host"
local json = require "host.json"
local task = require "host.task"

-- The body of a handler, and the code of the error that it must end with.
local FAULTS = {
  -- CPU, also where no Lua instruction is counted or an error could be caught
  { "while true do end", "cpu_limit" },
  { "while true do pcall(function() while true do end end) end", "cpu_limit" },
  { "local f function f() return f() end f()", "cpu_limit" },
  { "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) return t[1]", "exception" },
  { "for i = 1, 1e12 do end", "cpu_limit" },
  { "(('x'):rep(1e6)):gsub('.', function() while true do end end)", "cpu_limit" },
  { "while true do coroutine.wrap(function() while true do end end)() end", "cpu_limit" },
  { "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end", "cpu_limit" },
  { "while true do table.concat({}, ('x'):rep(1e4)) end", "cpu_limit" },
  { "while true do string.format('%s', ('x'):rep(1000)) end", "cpu_limit" },
  { "while true do local _ = tostring({}) end", "cpu_limit" },
  { "local c c = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(c) end",
    "cpu_limit" },
  -- memory
  { "local t = {} while true do t[#t + 1] = {} end", { "memory_limit", "cpu_limit" } }, -- whichever comes first
  { "local s = 'x' while true do s = s .. s end", "memory_limit" },
  { "('x'):rep(1e9)", { "memory_limit", "exception" } },
  { "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t end) end", { "memory_limit", "cpu_limit" } },
  { "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end", { "memory_limit", "cpu_limit" } },
  { "c:reply(('x'):rep(2e6))", "exception" },
  { "c:emit('x', { x = ('x'):rep(2e6) })", "too_large" },
  -- errors of every kind
  { "error 'plain'", "exception" },
  { "error()", "exception" },
  { "error(nil)", "exception" },
  { "error { code = 'mine' }", "exception" },
  { "error(function() end)", "exception" },
  { "error(setmetatable({}, { __tostring = function() error 'again' end }))", "exception" },
  { "error(setmetatable({}, { __tostring = function() while true do end end }))", { "exception", "cpu_limit" } },
  { "local x = nil + 1", "exception" },
  { "local function f() return 1 + f() end f()", "exception" },
  { "undeclared = 1", "exception" },
  { "c.undeclared()", "exception" },
  { "string.rep = nil", "exception" },
  { "error(('x'):rep(1e5))", "exception" },
  -- answers that are none
  { "c:reply { text = 5 }", "exception" },
  { "c:reply { text = 'x', extra = true }", "exception" },
  { "c._actions[1] = { type = 'send', text = 'x', extra = true }", "invalid_response" },
  { "c:reply { text = 'x', buttons = 5 }", "exception" },
  { "c:reply { text = 'x', buttons = { { { text = 'a', data = { f = function() end } } } } }", "exception" },
  { "c:reply { text = 'x', photo = { f = function() end } }", "invalid_response" },
  { "c:reply { text = 'x', entities = { coroutine.create(function() end) } }", "invalid_response" },
  { "c:reply '\\255\\254'", "invalid_response" },
  { "local t = {} t.t = t c:reply { text = 'x', photo = t }", { "too_large", "invalid_response" } },
  { "c:reply { text = 'x', photo = { n = 0/0 } }", "invalid_response" },
  { "local t = {} for i = 1, 200 do t = { t } end c:reply { text = 'x', photo = t }",
    { "too_large", "invalid_response" } },
  { "for i = 1, 51 do c:reply 'x' end", "exception" },
  { "c.session.f = function() end", "exception" },
  { "c.session[1] = 2", "exception" },
  { "c.session.n = 0/0", "exception" },
  { "c:schedule { job = 'x' }", "exception" },
  { "c:schedule { ['in'] = 1, job = 'x' }", "permission" },
  { "c:emit('x', {})", "permission" },
  -- at the door
  { "for i = 1, 300 do parley.uuid() end", false }, -- a refusal is an answer that the plugin gets
  { "parley.json.encode(function() end)", "invalid_response" },
  { "coroutine.yield()", "exception" },
}

describe("a plugin whose handler does", function()
  local h
  setup(function()
    local main = { "local p = parley.plugin()" }
    local commands = {}
    for i, fault in ipairs(FAULTS) do
      main[#main + 1] = ("p.on.command('f%d', function(c) %s end)"):format(i, fault[1])
      commands[#commands + 1] = { name = "f" .. i }
    end
    commands[#commands + 1] = { name = "fine" }
    main[#main + 1] = "p.on.command('fine', function(c) c:reply 'fine' end)\np.on.job('x', function() end)\nreturn p"
    h = host.start { plugins = { bad = {
      main = table.concat(main, "\n"),
      manifest = { commands = commands, limits = { memory_mb = 8, cpu_ms = 60, timeout_ms = 5000 } },
    } } }
  end)
  teardown(function() h:stop() end)
  -- So many faults one after another would have it left alone.
  before_each(function() h.core.manager.current.chooser.by_name.bad.circuit = circuit.new "bad" end)

  for i, fault in ipairs(FAULTS) do
    it(fault[1], function()
      local dialog = "f" .. i
      local done = false
      local t = task.spawn(function()
        local r = h:say(dialog, "/f" .. i)
        done = true
        return r.status, r.body.status, r.body.plugin.name
      end)
      -- Meanwhile others are answered.
      while not done do assert.equal("hi", h:say("other", "/echo hi").body.text) end
      local _, status, outcome, plugin = t:join(60)
      assert.equal(200, status)
      local call = h.core.db:first("SELECT status, error_code FROM plugin_calls WHERE dialog_id = $1 "
        .. "AND plugin_id = 'bad'", dialog)
      if fault[2] then
        assert.equal("fallback", outcome)
        assert.equal("text_reply", plugin)
        local expected = type(fault[2]) == "table" and fault[2] or { fault[2] }
        local fits = false
        for _, code in ipairs(expected) do fits = fits or code == call.error_code end
        assert(fits, "the code is " .. tostring(call.error_code))
        local audit = h.core.db:first("SELECT details FROM audit_logs WHERE source = 'bad' AND severity = 'error' "
          .. "ORDER BY id DESC LIMIT 1")
        assert.is_true(#audit.details < 10000)
        assert.equal(call.error_code, json.decode(audit.details).code)
      else
        assert.equal("ok", call.status)
      end
      assert.equal("fine", h:say(dialog, "/fine").body.text)
    end)
  end

  it("gives its memory back", function()
    for _, p in ipairs(h.core.manager.current.plugins) do
      if p.name == "bad" then assert.is_true(p.driver:stats().memory < 2e6) end
    end
  end)
end)
