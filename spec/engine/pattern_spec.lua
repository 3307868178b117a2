local sandbox = require "host.sandbox"
local task = require "host.task"

local function read(path)
  local f = assert(io.open(path, "rb"))
  local s = f:read("*a")
  f:close()
  return s
end

local CASES = read "spec/support/pattern_cases.lua"
local PRELUDE = require("parley.engine.prelude").text()

local function new(memory)
  return assert(sandbox.new { name = "t", memory = memory or 16 * 2 ^ 20, prelude = PRELUDE })
end

local function run(source, opts, ...)
  opts = opts or {}
  local sb = opts.sandbox or new(opts.memory)
  assert(sb:compile("main", source, "@main.lua"))
  local r = { sb:start("main", opts.cpu_ms or 5000, opts.timeout or 60, ...) }
  while r[1] == "door" do r = { r[2]:answer(opts.serve(unpack(r, 3, 10))) } end
  return unpack(r, 1, 10)
end

-- What the stock functions of this state give for the same source.
local function stock(source, ...) return assert(loadstring(source, "@main.lua"))(...) end

describe("the patterns of a sandbox", function()
  it("give what the stock ones give, errors too, in 200 000 generated cases", function()
    local sb = new(64 * 2 ^ 20)
    assert(sb:compile("cases", CASES, "@cases.lua"))
    local reference = assert(loadstring(CASES, "@cases.lua"))
    jit.off(reference, true) -- compiled, it finds nothing from -2^31
    local matches, errors = 0, 0
    for round = 1, 400 do
      local seed = round * 7919
      local want = reference(seed, 500)
      local kind, got = sb:start("cases", 60000, 60, seed, 500)
      assert.equal("done", kind, kind == "error" and got.message)
      for i = 1, 500 do
        if want[i] ~= got[i] then
          local _, shown = sb:start("cases", 60000, 60, seed, 500, true)
          assert.equal(reference(seed, 500, true)[i], shown[i])
        end
        if want[i]:find "^false" then errors = errors + 1 elseif want[i] ~= "true nil" then matches = matches + 1 end
      end
    end
    assert.is_true(matches > 80000 and errors > 20000)
  end)

  it("know the same classes", function()
    local source = [[
      local out = {}
      for class = 1, 255 do
        local bits = {}
        for c = 0, 255 do
          bits[c + 1] = string.find(string.char(c), "^[%" .. string.char(class) .. "]$") and 1 or 0
        end
        out[class] = table.concat(bits)
      end
      return table.concat(out, "\n")
    ]]
    assert.equal(stock(source), select(2, run(source)))
  end)

  it("end where the stock ones do: choices, captures", function()
    for _, source in ipairs {
      "local a = ('a'):rep(300) return tostring(pcall(string.find, a, ('a?'):rep(...)))",
      "local a = ('a'):rep(300) return select(2, pcall(string.find, a, ('a*'):rep(...)))",
      "local a = ('a'):rep(300) return select(2, pcall(string.find, a, ('a-'):rep(...) .. '$'))",
      "local a = ('a'):rep(300) return tostring(select(2, pcall(string.find, a, ('(a)'):rep(16) .. ('a?'):rep(... - 32))))",
    } do
      for n = 197, 202 do
        assert.equal(stock(source, n), select(2, run(source, nil, n)), source .. n)
      end
    end
    for n = 30, 34 do
      local source = "return select('#', string.find('a', ('()'):rep(...)))"
      local ok, count = pcall(stock, source, n)
      local kind, got = run(source, nil, n)
      assert.equal(ok and "done" or "error", kind)
      if ok then assert.equal(count, got) else assert.matches("too many captures", got.message) end
    end
  end)

  it("find the same when that takes many slices", function()
    for _, source in ipairs {
      "return string.find(('a'):rep(300), '.-.-b')",
      "return string.find(('a'):rep(100000) .. 'b', '^(.-)(.-)b$')",
      "return string.match(('ab'):rep(150), '(.*)(.*)x')",
      "return string.find(('('):rep(5000), '%b()')",
      "return string.find(('('):rep(400000) .. (')'):rep(400000), '%b()', 2)",
      "local n = 0 for w in string.gmatch(('word '):rep(30000), '%a+') do n = n + #w end return n",
      "local r, n = string.gsub(('a b '):rep(60000), '(%a) (%a)', '%2%1') return #r, n, r:sub(-20)",
      "local r, n = string.gsub(('a b '):rep(60000), '%a', { a = 'xy', b = false }) return #r, n, r:sub(-20)",
      "local r, n = string.gsub(('a b '):rep(20000), '%a', function(c) return c .. c end) return #r, n, r:sub(-20)",
      "local r, n = string.gsub(('x'):rep(300), '.-.-y', function() return 1 end) return #r, n",
      "local n = 0 for a in string.gmatch(('x'):rep(100), '.-.-.-y') do n = n + 1 end return n",
      "return string.find(('ab'):rep(500000) .. 'c', 'bc', 1, true)",
      "return string.find(('ab'):rep(500000), ('ab'):rep(200000) .. 'a', 3, true)",
      "return string.find(('[' .. ('x'):rep(30000) .. ']'):rep(2), '%b[]'), #string.match('q', '[' .. ('x'):rep(40000) .. 'q]')",
      "return string.match(('y'):rep(3000), '[' .. ('x'):rep(9000) .. 'y]+()')",
    } do
      local before = task.stats().preemptions
      local want = { stock(source) }
      local got = { run(source, { memory = 64 * 2 ^ 20 }) }
      assert.equal("done", got[1], type(got[2]) == "table" and got[2].message)
      assert.same(want, { unpack(got, 2, 10) }, source)
      assert.is_true(task.stats().preemptions > before, source)
    end
  end)

  it("give way in the middle of a gsub whose matches are few and long", function()
    local before = task.stats().preemptions
    local kind, left, n = run("local r, n = string.gsub((('a'):rep(3000) .. 'b'):rep(300), '.-b', '') return r, n", {
      memory = 64 * 2 ^ 20,
    })
    assert.same({ "done", "", 300 }, { kind, left, n })
    assert.is_true(task.stats().preemptions - before > 10)
  end)

  it("are found wrong as a whole when they take many slices", function()
    local kind, err = run "local i = string.find(('a'):rep(9000), '.-.-b[')"
    assert.equal("error", kind)
    assert.equal("exception", err.code)
    assert.equal("main.lua:1: malformed pattern (missing ']')", err.message)
    local _, ok, message = run "return pcall(string.gsub, ('a'):rep(9000), '.-.-b%', '')"
    assert.is_false(ok)
    assert.equal("malformed pattern (ends with '%')", message)
    -- A value that is no replacement may be met in any slice.
    _, ok, message = run("return pcall(string.gsub, ('a'):rep(1e6) .. 'b', '.', { b = {} })", { memory = 64 * 2 ^ 20 })
    assert.is_false(ok)
    assert.matches("invalid replacement value %(a table%)$", message)
  end)

  for name, source in pairs {
    ["optional items"] = "return ('a'):rep(30000):find(('a?'):rep(25) .. ('a'):rep(25) .. 'b')",
    ["lazy items"] = "return ('a'):rep(30000):find('.-.-.-.-b')",
    ["greedy captures"] = "return ('a'):rep(30000):match('(.*)(.*)(.*)x')",
    ["balances"] = "return ('('):rep(1e6):find('%b()')",
    ["frontiers and references"] = "return ('a '):rep(5e5):find('(.-)%f[%w].-%1%1x')",
    ["gmatch"] = "for w in ('a'):rep(30000):gmatch('.-.-.-b') do return w end",
    ["gsub with a string"] = "return ('a'):rep(30000):gsub('.-.-.-b', '')",
    ["gsub with a table"] = "return ('a'):rep(30000):gsub('.-.-.-b', {})",
    ["gsub with a function"] = "return ('a'):rep(30000):gsub('.-.-.-b', function() end)",
    ["a callback"] = "return ('a'):rep(30000):gsub('a', function() while true do end end)",
    ["a callback that catches"] =
      "('a'):rep(30000):gsub('a', function() pcall(function() while true do end end) end) while true do end",
    ["the index of a replacement"] = "return ('a'):gsub('a', setmetatable({}, { __index = function() while true do end end }))",
    ["a coroutine"] = "return coroutine.wrap(function() return ('a'):rep(30000):find('.-.-.-.-b') end)()",
    ["pcall"] = "while true do pcall(string.find, ('a'):rep(30000), '.-.-.-.-b') end",
    ["a metamethod"] = "return setmetatable({}, { __index = function(_, k) return k:rep(30000):find('.-.-.-.-b') end }).a",
    ["a comparator"] = "table.sort({ 'a', 'b' }, function(a) return a:rep(30000):find('.-.-.-.-z') end)",
    ["a plain search, again and again"] = "local s = ('a'):rep(1e6) while true do s:find('ab', 1, true) end",
  } do
    it("are stopped in " .. name .. ", and neighbours go on", function()
      local ticks, neighbour = 0, new()
      assert(neighbour:compile("tick", "return ('tick 7'):match('%d')", "=tick"))
      local other = task.spawn(function()
        while true do
          assert.equal("7", select(2, neighbour:start("tick", 50, 5)))
          ticks = ticks + 1
          task.sleep(0.001)
        end
      end)
      local kind, err = run(source, { cpu_ms = 30 })
      other:cancel()
      assert.equal("error", kind)
      assert.equal("cpu_limit", err.code)
      assert.is_true(ticks > 3, ticks)
    end)
  end

  it("are stopped at a deadline, and with the task that asked", function()
    local kind, err = run("return ('a'):rep(30000):find('.-.-.-.-b')", { cpu_ms = 60000, timeout = 0.03 })
    assert.equal("error", kind)
    assert.equal("timeout", err.code)
    local tasks = task.stats().tasks
    local h = task.spawn(function() run("return ('a'):rep(30000):find('.-.-.-.-b')", { cpu_ms = 60000 }) end)
    task.sleep(0.01)
    h:cancel()
    task.sleep(0.01)
    assert.equal(tasks, task.stats().tasks)
  end)

  it("are stopped at the memory cap in any slice", function()
    for _, source in ipairs {
      "return pcall(string.gsub, ('a'):rep(1e6), 'a', ('x'):rep(100))",
      "return pcall(string.gsub, ('a'):rep(1e6), 'a', { a = ('x'):rep(100) })",
      "return pcall(string.gsub, ('a'):rep(1e6), 'a', function() return ('x'):rep(100) end)",
      "return pcall(string.rep, 'x', 1e9)",
    } do
      local kind, err = run(source, { memory = 4 * 2 ^ 20 })
      assert.equal("error", kind)
      assert.equal("memory_limit", err.code)
    end
  end)

  it("say what is wrong at the author's line", function()
    for source, message in pairs {
      ["local s = 'x'\ns:gsub('(', '%1')"] = "main.lua:2: unfinished capture",
      ["local s = 'x'\ns:gsub('%', function() end)"] = "main.lua:2: malformed pattern (ends with '%')",
      ["local s = 'x'\ns:gsub('%', {})"] = "main.lua:2: malformed pattern (ends with '%')",
      ["\nstring.gsub('x', 'x')"] = "main.lua:2: bad argument #3 to 'gsub' (string/function/table expected)",
      ["\nstring.gsub({}, 'x', {})"] = "main.lua:2: bad argument #1 to 'gsub' (string expected, got table)",
      ["\nstring.gsub('x', 'x', function() return {} end)"] = "main.lua:2: invalid replacement value (a table)",
      ["\nstring.gsub('x', 'x', { x = {} })"] = "main.lua:2: invalid replacement value (a table)",
      ["\nstring.find('x', nil)"] = "main.lua:2: bad argument #2 to 'find' (string expected, got nil)",
      ["\nlocal s = string.gsub('x', ('x.'):rep(2e5), function() end)"] = "main.lua:2: pattern too long (262144 bytes at most)",
      ["\nlocal s = string.match('x', ('x.'):rep(2e5))"] = "main.lua:2: pattern too long (262144 bytes at most)",
      ["\nfor _ in string.gmatch('x', '[') do end"] = "main.lua:2: malformed pattern (missing ']')",
      ["\nstring.format('%-5p', {})"] = "main.lua:2: bad argument #1 to 'format' (%p is not available)",
      ["\nstring.format('%d', 'x')"] = "main.lua:2: bad argument #2 to 'format' (number expected, got string)",
    } do
      local kind, err = run(source)
      assert.equal("error", kind)
      assert.equal(message, err.message)
    end
    assert.equal("100% pure 5", select(2, run "return ('%d%% %s %d'):format(100, 'pure', 5)"))
  end)

  it("let a callback of gsub wait at the door", function()
    local sb = new()
    assert(sb:compile("main", [[
      local host = host
      return ("a b c"):gsub("%a", function(c) return host("double", c) end)
    ]], "@main.lua"))
    local r = { sb:start("main", 50, 5) }
    while r[1] == "door" do
      task.sleep(0.001)
      r = { r[2]:answer(r[4] .. r[4]) }
    end
    assert.same({ "done", "aa bb cc", 3 }, r)
  end)
end)
