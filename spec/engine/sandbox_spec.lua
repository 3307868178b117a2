local eventually = require "spec.support.eventually"
local rings = require "spec.support.rings"
local task = require "host.task"

local prelude = require("parley.engine.prelude").text()

for _, ring in ipairs(rings) do
  local function new(opts)
    opts = opts or {}
    local sb = assert(ring.new { name = "t", memory = opts.memory or 4 * 1024 * 1024, prelude = prelude })
    if opts.open then return sb end
    assert.equal("done", (sb:start("seal")))
    return sb
  end

  -- Runs source as a chunk; the door answers by `serve`.
  local function run(source, serve, opts)
    opts = opts or {}
    local sb = opts.sandbox or new { memory = opts.memory, open = true }
    if not opts.sandbox then
      assert(sb:compile("door", "local h = host; export('_', function() end); local e = export " ..
        "; return (function() return h end)()", "=door"))
    end
    assert(sb:compile("main", source, "@main.lua"))
    local r = { sb:start("main", opts.cpu_ms or 50, opts.timeout or 5) }
    while r[1] == "door" do
      r = { r[2]:answer(serve(unpack(r, 3, 10))) }
    end
    return unpack(r, 1, 10)
  end

  describe("a sandboxed call in the " .. ring.name .. " ring", function()
    it("returns copies of its values", function()
      local kind, v = run "return { a = { 1, 2, { b = 'x' } }, n = null, t = true }"
      assert.equal("done", kind)
      assert.same({ 1, 2, { b = "x" } }, v.a)
      assert.is_true(v.t)
      assert.equal("userdata", type(v.n))
    end)

    it("waits at the door from any depth, and in its own coroutines", function()
      local kind, a, b = run([[
        local co = coroutine.wrap(function(x)
          local y = coroutine.yield(host("add", x, 1))
          local ok, z = pcall(function() return host("add", y, 10) end)
          return z
        end)
        local first = co(1)
        return first, co(first)
      ]], function(name, x, y)
        assert.equal("add", name)
        task.sleep(0)
        return x + y
      end)
      assert.equal("done", kind)
      assert.equal(2, a)
      assert.equal(12, b)
    end)

    it("keeps the meaning of coroutines", function()
      local _, r = run [[
        local out = {}
        local function put(...) for i = 1, select("#", ...) do out[#out + 1] = tostring((select(i, ...))) end end
        local co = coroutine.create(function(a, b)
          put(a, b, coroutine.status(coroutine.running()))
          put(coroutine.yield("y1", "y2"))
          error({ code = 7 })
        end)
        put(coroutine.status(co))
        put(coroutine.resume(co, 1, 2))
        put(coroutine.status(co))
        local ok, err = coroutine.resume(co, "in")
        put(ok, err.code, coroutine.status(co))
        put(coroutine.resume(co))
        local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
        for i in gen do put(i) end
        put(coroutine.status(coroutine.create(function() end)))
        put(pcall(coroutine.yield, 1))
        return out
      ]]
      assert.same({
        "suspended", "1", "2", "running", "true", "y1", "y2", "suspended", "in", "false", "7", "dead",
        "false", "cannot resume dead coroutine", "1", "2", "3", "suspended", "false",
        "attempt to yield outside a coroutine",
      }, r)
    end)

    it("is preempted while others go on", function()
      local before = task.stats().preemptions
      local ticks = 0
      local other = task.spawn(function() for _ = 1, 20 do task.sleep(0.001) ticks = ticks + 1 end end)
      local kind, n = run("local n = 0 for i = 1, 3e7 do n = n + i % 3 end return n", nil, { cpu_ms = 5000 })
      assert.equal("done", kind)
      assert.equal(3e7, n)
      if ring.name == "trusted" then assert.is_true(task.stats().preemptions > before) end
      assert.is_true(ticks > 3)
      other:join()
    end)

    for name, source in pairs {
      ["a loop"] = "while true do end",
      ["a loop in pcall"] = "while true do pcall(function() while true do end end) end",
      ["a loop in a coroutine"] = "coroutine.wrap(function() while true do end end)()",
      ["an error handler"] = "xpcall(function() while true do end end, function() while true do end end)",
      ["endless recursion in pcall"] = "local function f() return pcall(f) or f() end f()  while true do end",
      ["a sort comparator"] = "local t = {} for i = 1, 1000 do t[i] = i end " ..
        "table.sort(t, function(a, b) while true do end end)",
      ["a gsub callback that catches"] =
        "string.gsub(('x'):rep(1000), '.', function() pcall(function() while true do end end) end) while true do end",
      ["a tostring hook"] = "tostring(setmetatable({}, { __tostring = function() while true do end end }))",
    } do
      it("is stopped in " .. name, function()
        local sb = new { open = true }
        local kind, err = run(source, nil, { sandbox = sb, cpu_ms = 20 })
        assert.equal("error", kind)
        assert.equal("cpu_limit", err.code)
        assert.is_true(sb:stats().broken)
        local kind2, err2 = sb:start("main", 50, 1)
        assert.equal("error", kind2)
        assert.equal("disabled", err2.code)
      end)
    end

    it("is stopped at its deadline", function()
      local kind, err = run("while true do end", nil, { cpu_ms = 60000, timeout = 0.02 })
      assert.equal("error", kind)
      assert.equal("timeout", err.code)
    end)

    it("is stopped at its memory cap, and cannot catch it", function()
      for _, source in ipairs {
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100) .. i end",
        "return ('x'):rep(1e9)",
        "local ok = pcall(string.rep, 'x', 1e9) return 'survived'",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
      } do
        local sb = new { open = true, memory = 1024 * 1024 }
        local kind, err = run(source, nil, { sandbox = sb, cpu_ms = 5000 })
        assert.equal("error", kind)
        assert.equal("memory_limit", err.code)
        assert.is_true(sb:stats().peak <= 1024 * 1024 + 4096)
      end
    end)

    it("lives with garbage near its cap", function()
      local kind, n = run("local n = 0 for i = 1, 2e5 do local t = { i, { i } } n = n + #t end return n", nil,
        { memory = 512 * 1024, cpu_ms = 5000 })
      assert.equal("done", kind)
      assert.equal(4e5, n)
    end)

    it("reports what it raises with its own line", function()
      local kind, err = run("local x = 1\nerror('boom')")
      assert.equal("error", kind)
      assert.equal("exception", err.code)
      assert.equal("main.lua:2: boom", err.message)
      kind, err = run("error({})")
      assert.equal("error", kind)
      assert.matches("table", err.message)
      kind, err = run("local function f() return f() + 1 end f()")
      assert.equal("error", kind)
      assert.matches("stack overflow", err.message)
    end)

    it("may not return what cannot cross", function()
      for source, path in pairs {
        ["return { a = { print_ = function() end } }"] = "%$%.a%.print_",
        ["return { { coroutine.create(function() end) } }"] = "%$%[1%]%[1%]",
        ["local t = {} t.t = t return t"] = "cycle",
        ["return setmetatable({}, {})"] = "metatable",
        ["local t = {} for i = 1, 1e5 do t[i] = i end return t"] = "too many values",
        ["return ('x'):rep(2e6)"] = "too many bytes",
      } do
        local kind, err = run(source, nil, { cpu_ms = 1000, memory = 16e6 })
        assert.equal("error", kind)
        assert.matches(path, err.message)
      end
    end)

    it("ends with the task that made it", function()
      local ops, tasks = task.stats().ops, task.stats().tasks
      local h = task.spawn(function()
        run("while true do end", nil, { cpu_ms = 60000, timeout = 60 })
      end)
      task.sleep(0.005)
      h:cancel()
      task.sleep(0.005)
      assert.equal(ops, task.stats().ops)
      assert.equal(tasks, task.stats().tasks)
    end)
  end)

  describe("the environment in the " .. ring.name .. " ring", function()
    it("holds nothing but the allow-list", function()
      local sb = new()
      local kind, names = run([[
        local seen = {}
        for _, n in ipairs { "load", "loadstring", "dofile", "loadfile", "getfenv", "setfenv", "newproxy",
          "collectgarbage", "io", "package", "debug", "jit", "ffi", "module", "print", "host", "export", "gcinfo" } do
          if _G[n] ~= nil then seen[#seen + 1] = n end
        end
        if string.dump then seen[#seen + 1] = "string.dump" end
        for _, n in ipairs { "execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale" } do
          if os[n] then seen[#seen + 1] = "os." .. n end
        end
        if math.randomseed then seen[#seen + 1] = "math.randomseed" end
        if getmetatable("") ~= nil then seen[#seen + 1] = "string metatable" end
        return seen
      ]], nil, { sandbox = sb })
      assert.equal("done", kind)
      assert.same({}, names)
    end)

    it("cannot be written", function()
      for source, message in pairs {
        ["x = 1"] = "global 'x'",
        ["_G.x = 1"] = "global 'x' is not declared",
        ["string.x = 1"] = "'string' is read%-only",
        ["rawset(string, 'x', 1)"] = "'string' is read%-only",
        ["rawset(_G, 'x', 1)"] = "'_G' is read%-only",
        ["setmetatable(string, {})"] = "protected",
        ["setmetatable('', {})"] = "table expected",
        ["setmetatable(_G, nil)"] = "protected",
      } do
        local kind, err = run(source, nil, { sandbox = new() })
        assert.equal("error", kind)
        assert.matches(message, err.message)
      end
    end)

    it("tells no addresses", function()
      local _, s = run [[
        return table.concat({ tostring({}), tostring(print), tostring(coroutine.create(function() end)),
          string.format("%s %s", {}, function() end), tostring(null), select(2, pcall(string.format, "%p", {})) }, " ") ]]
      assert.is_nil(s:match("0x%x+"))
    end)

    it("requires only its own files", function()
      local sb = new()
      assert(sb:compile("lib:a", "local n = ... return { name = n, b = require 'b' }", "@lib/a.lua"))
      assert(sb:compile("lib:b", "return 42", "@lib/b.lua"))
      local kind, v = run("return require 'a', require('a') == require('a')", nil, { sandbox = sb })
      assert.equal("done", kind)
      assert.same({ name = "a", b = 42 }, v)
      kind, v = run("return require 'parley.store'", nil, { sandbox = sb })
      assert.equal("error", kind)
      assert.matches("no module 'parley.store'", v.message)
    end)

    it("refuses bytecode and oversized source", function()
      local sb = new()
      local ok, err = sb:compile("x", string.dump(function() end), "=x")
      assert.is_nil(ok)
      assert.equal("syntax", err.code)
      ok, err = sb:compile("x", ("-"):rep(300 * 1024), "=x")
      assert.is_nil(ok)
      assert.equal("too_large", err.code)
      ok, err = sb:compile("x", "local = 1", "@x.lua")
      assert.is_nil(ok)
      assert.matches("^x.lua:1:", err.message)
    end)

    it("counts Unicode", function()
      local _, a, b, c, d = run "return utf8.len('привіт'), utf8.char(0x1F600, 65), utf8.sub('привіт', 2, 3), utf8.len('\\255')"
      assert.equal(6, a)
      assert.equal("😀A", b)
      assert.equal("ри", c)
      assert.is_nil(d)
    end)
  end)
end

describe("a sandboxed state", function()
  it("gives all its memory back when it is closed", function()
    local lua_driver = require "parley.plugins.lua_driver"
    local manifest = require "parley.plugins.manifest"
    local m = assert(manifest.check [[{"schema":"v1alpha","name":"brief","version":"1.0.0","api":"1","transport":"lua"}]])
    local function resident()
      for line in io.lines "/proc/self/status" do
        local kb = line:match "^VmRSS:%s*(%d+)"
        if kb then return tonumber(kb) end
      end
    end
    local function load_and_close(n)
      for _ = 1, n do
        assert(lua_driver.new(m, { main = "local p = parley.plugin() return p", lib = {} })):close()
      end
    end
    load_and_close(50)
    local before = resident()
    load_and_close(300) -- 130 KB each, if they stayed
    assert.is_true(resident() - before < 20000)
  end)

  it("is freed beside the loop when it is large", function()
    local sandbox = require "host.sandbox"
    local function close_one_with(source, code)
      local sb = assert(sandbox.new { name = "t", memory = 4 * 1024 * 1024, prelude = prelude })
      assert.equal("done", (sb:start("seal")))
      assert(sb:compile("main", source, "@main.lua"))
      local _, err = sb:start("main", 1000, 60)
      assert.equal(code, err.code)
      task.sleep(0.001) -- what its call has held is let go
      sb:close()
      return task.stats().closing_bytes -- within one turn of the loop
    end
    assert.equal(0, close_one_with("error 'x'", "exception"))
    local large = close_one_with("local t = {} while true do t[#t + 1] = { #t } end", "memory_limit")
    assert.is_true(large > 2 * 1024 * 1024, large .. " bytes")
    eventually("it is freed", function() return task.stats().closing_bytes == 0 end)
  end)
end)
