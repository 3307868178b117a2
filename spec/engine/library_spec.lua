local sandbox = require "host.sandbox"
local task = require "host.task"

local PRELUDE = require("parley.engine.prelude").text()

local function start(source, opts, ...)
  opts = opts or {}
  local sb = assert(sandbox.new { name = "t", memory = opts.memory or 16 * 2 ^ 20, prelude = PRELUDE })
  assert(sb:compile("main", source, "@main.lua"))
  return sb:start("main", opts.cpu_ms or 5000, opts.timeout or 60, ...)
end

-- What a program returns; that of the stock library of this state is the same.
local function same_as_stock(source, ...)
  local want = { assert(loadstring(source, "@main.lua"))(...) }
  local got = { start(source, nil, ...) }
  assert.equal("done", got[1], type(got[2]) == "table" and got[2].message)
  assert.same(want, { unpack(got, 2) })
end

local function raises(message, source, opts)
  local kind, err = start(source, opts)
  assert.equal("error", kind)
  assert.equal(message, err.message)
end

describe("the tables of a sandbox", function()
  it("are sorted", function()
    for _, before in ipairs { "nil", "function(a, b) return a < b end", "function(a, b) return a > b end" } do
      for _, value in ipairs { "(i * 7919) % 1009", "('%05d'):format((i * 7919) % 1009)", "i", "-i", "1" } do
        same_as_stock([[
          local out = {}
          for _, n in ipairs { 0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000 } do
            local t = {}
            for i = 1, n do t[i] = ]] .. value .. [[ end
            table.sort(t, ]] .. before .. [[)
            out[#out + 1] = table.concat(t, ",")
          end
          return table.concat(out, ";")
        ]])
      end
    end
    same_as_stock [[
      local mt = { __lt = function(a, b) return a.n < b.n end }
      local t = {}
      for i = 1, 50 do t[i] = setmetatable({ n = i * 37 % 53 }, mt) end
      table.sort(t)
      for i = 1, 50 do t[i] = t[i].n end
      return table.concat(t, ",")
    ]]
  end)

  it("are not sorted when they cannot be compared, and say so at the author's line", function()
    for list, message in pairs {
      ["1, 'a'"] = "attempt to compare string with number", ["{}, {}"] = "attempt to compare two table values",
      ["true, false"] = "attempt to compare two boolean values", ["2, {}"] = "attempt to compare table with number",
    } do
      raises("main.lua:2: " .. message, "local t = { " .. list .. " }\ntable.sort(t)")
    end
    raises("main.lua:1: mine", "local m = setmetatable({}, { __lt = function() error('mine') end }) table.sort({ m, m })")
    raises("main.lua:1: bad argument #1 to 'sort' (table expected, got nil)", "table.sort()")
    raises("main.lua:1: bad argument #2 to 'sort' (function expected, got table)", "table.sort({}, {})")
  end)

  it("keep the order of what is equal", function()
    local _, sorted = start [[
      local t = {}
      for i = 1, 200 do t[i] = { key = i % 3, n = i } end
      table.sort(t, function(a, b) return a.key < b.key end)
      for i = 2, 200 do
        if t[i].key == t[i - 1].key and t[i].n < t[i - 1].n then return false end
      end
      return true
    ]]
    assert.is_true(sorted)
  end)

  for name, before in pairs {
    ["says yes to everything"] = "function() return true end",
    ["says no to everything"] = "function() end",
    ["answers by chance"] = "function() return math.random() < 0.5 end",
    ["clears the table"] = "function(a, b) for i = 1, 100 do t[i] = nil end return a < b end",
    ["fills the table"] = "function(a, b) t[#t + 1] = 0 return a < b end",
    ["sorts the table"] = "function(a, b) if depth < 3 then depth = depth + 1 table.sort(t, before) end return a < b end",
  } do
    it("hold their elements when a comparator " .. name, function()
      local kind, result = start([[
        local t, depth, before = {}, 0
        for i = 1, 100 do t[i] = (i * 37) % 101 end
        before = ]] .. before .. [[

        table.sort(t, before)
        local seen = {}
        for i = 1, 100 do seen[t[i] ] = true end
        for i = 1, 100 do if not seen[i] then return "lost " .. i end end
        return "all"
      ]])
      assert.equal("done", kind, type(result) == "table" and result.message)
      assert.equal("all", result)
    end)
  end

  it("stay as they were when a comparator raises", function()
    local _, ok, message, list = start [[
      local t = { 3, 1, 2 }
      local ok, message = pcall(table.sort, t, function(a, b) if a == 2 then error("mine") end return a < b end)
      return ok, message, table.concat(t, ",")
    ]]
    assert.is_false(ok)
    assert.equal("main.lua:2: mine", message)
    assert.equal("3,1,2", list)
  end)

  it("are sorted by comparators that wait at the door, and in coroutines", function()
    local sb = assert(sandbox.new { name = "t", memory = 2 ^ 22, prelude = PRELUDE })
    assert(sb:compile("main", [[
      local host = host
      local t = { 3, 1, 2 }
      table.sort(t, function(a, b) return host("less", a, b) end)
      local steps = coroutine.wrap(function() table.sort(t, function(a, b) coroutine.yield(a) return a > b end) end)
      local n = 0
      while steps() do n = n + 1 end
      return table.concat(t, ","), n
    ]], "@main.lua"))
    local r = { sb:start("main", 50, 5) }
    while r[1] == "door" do
      task.sleep(0.001)
      r = { r[2]:answer(r[4] < r[5]) }
    end
    assert.same({ "done", "3,2,1", 3 }, r)
  end)

  it("get elements where there is a place for them", function()
    same_as_stock [[
      local out = {}
      for n = 0, 12 do
        for at = 1, n + 1 do
          local t = {}
          for i = 1, n do table.insert(t, i) end
          table.insert(t, at, "x")
          table.insert(t, at + 0.5, "y")
          out[#out + 1] = table.concat(t, ",")
        end
      end
      return table.concat(out, ";")
    ]]
    for _, at in ipairs { "0", "-1", "0.9", "5", "0/0", "1/0", "-1/0", "1e300", "2^31", "-2^31", "-2^31 + 1", "2^53" } do
      raises("main.lua:2: bad argument #2 to 'insert' (position out of bounds)",
        "local t = { 1, 2, 3 }\ntable.insert(t, " .. at .. ", 'x')")
    end
    raises("main.lua:1: wrong number of arguments to 'insert'", "table.insert({})")
    raises("main.lua:1: bad argument #1 to 'insert' (table expected, got nil)", "table.insert(nil, 1)")
    raises("main.lua:1: the library table 'string' is read-only", "table.insert(string, 1)")
    raises("main.lua:1: the library table 'string' is read-only", "table.sort(string)")
  end)

  it("are moved in many slices", function()
    local before = task.stats().preemptions
    same_as_stock [[
      local t = {}
      for i = 1, 400000 do t[i] = i end
      for i = 1, 5 do table.insert(t, i, -i) end
      for i = 1, 400005 do if t[i] ~= (i < 6 and -i or i - 5) then return i, t[i] end end
      return #t
    ]]
    assert.is_true(task.stats().preemptions > before)
  end)

  it("lose elements as they do with the stock functions", function()
    same_as_stock [[
      local out = {}
      for _, at in ipairs { 1, 2, 3, 4, 0, -1, 1.5, 0/0, 1/0, -1/0, 1e300, -2^31 } do
        local t = { 1, 2, 3 }
        out[#out + 1] = tostring((table.remove(t, at))) .. table.concat(t)
      end
      out[#out + 1] = tostring((table.remove({}))) .. tostring(table.maxn { 1, nil, 3, [1e15] = 1 })
      return table.concat(out, ";")
    ]]
  end)

  it("are joined", function()
    same_as_stock [[
      local out, t = {}, {}
      for i = 1, 5000 do t[i] = i % 7 == 0 and "" or i end
      for _, n in ipairs { 0, 1, 999, 1000, 1001, 2000, 5000 } do
        out[#out + 1] = table.concat(t, ", ", 1, n)
        out[#out + 1] = table.concat(t, "", math.max(n - 10, 1), n):len() + table.concat(t, 5, 2, n):len()
      end
      out[#out + 1] = table.concat(t):len() .. table.concat(t, nil, nil, 3) .. table.concat({}, "x")
      out[#out + 1] = table.concat({ 1 }, ",", 1, 1e300)
      return table.concat(out, ";")
    ]]
    for _, args in ipairs { "{ 1, {}, 3 }", "big", "big, ',', 1, 9000", "{}, ',', -2^31, 2^31 - 1" } do
      local source = "local big = {} for i = 1, 8000 do big[i] = i end big[4711] = {}\n" ..
        "local s = table.concat(" .. args .. ")"
      local _, want = pcall(assert(loadstring(source, "@main.lua")))
      raises(want, source)
    end
    raises("main.lua:1: bad argument #3 to 'concat' (number expected, got string)",
      "local s = table.concat({}, '', 'x')")
  end)

  it("hold no more values than a format takes", function()
    same_as_stock "local t = {} for i = 1, 1000 do t[i] = i end return #string.format(('%d'):rep(1000), unpack(t))"
    raises("main.lua:1: bad argument #1002 to 'format' (at most 1000 values)",
      "local t = {} for i = 1, 1001 do t[i] = i end local s = string.format(('%d'):rep(1001), unpack(t))")
  end)

  it("are not unpacked beyond the stack", function()
    raises("main.lua:1: too many results to unpack", "local a = { unpack({}, 1, 1e8) }")
    raises("main.lua:1: too many results to unpack", "local a = { unpack({}, -2^31, 2^31 - 1) }")
  end)

  for name, source in pairs {
    ["a comparator that never ends"] = "table.sort({ 1, 2, 3 }, function() while true do end end)",
    ["a comparator that catches"] =
      "table.sort({ 1, 2 }, function() pcall(function() while true do end end) end) while true do end",
    ["an order that never ends"] = "table.sort({ m, m }, nil)",
    ["sorting"] = "local t = {} for i = 1, 1e5 do t[i] = i * 7919 % 1009 end while true do table.sort(t) end",
    ["inserting"] = "local t = {} for i = 1, 3e5 do t[i] = i end while true do table.insert(t, 1, 0) end",
    ["joining"] = "local t = {} for i = 1, 1e5 do t[i] = 'x' end while true do table.concat(t, ',') end",
    ["formatting"] =
      "local t, f = {}, ('%.99f '):rep(1000) for i = 1, 1000 do t[i] = 1e308 end while true do f:format(unpack(t)) end",
    ["quoting"] = "local s = ('\"'):rep(1e6) while true do local q = ('%q'):format(s) end",
    ["case"] = "local s = ('x'):rep(2e6) while true do s:upper() end",
    ["reversing"] = "local s = ('x'):rep(2e6) while true do s:reverse() end",
    ["repeating"] = "local s = 'x' while true do s:rep(2e6) end",
  } do
    it("end at the CPU limit in " .. name .. ", and neighbours go on", function()
      local ticks, neighbour = 0, assert(sandbox.new { name = "neighbour", memory = 2 ^ 20, prelude = PRELUDE })
      assert(neighbour:compile("tick", "return 7", "=tick"))
      local other = task.spawn(function()
        while true do
          assert.equal(7, select(2, neighbour:start("tick", 50, 5)))
          ticks = ticks + 1
          task.sleep(0.001)
        end
      end)
      local kind, err = start("local m = setmetatable({}, { __lt = function() while true do end end })\n" ..
        source, { cpu_ms = 60, memory = 64 * 2 ^ 20 })
      other:cancel()
      assert.equal("error", kind)
      assert.equal("cpu_limit", err.code, err.message)
      assert.is_true(ticks > 3, ticks)
    end)
  end

  it("and strings are repeated", function()
    same_as_stock [[
      local out = {}
      for _, s in ipairs { "", "x", "abc", ("y"):rep(70000) } do
        for _, n in ipairs { -1, 0, 1, 2, 3, 1000, 1.9, 70000 } do
          if #s * n < 1e6 then
            local a, b = s:rep(n), s:rep(n, ", ")
            out[#out + 1] = #a .. " " .. #b .. a:sub(-7) .. b:sub(-7) .. b:sub(1, 5)
          end
        end
      end
      return table.concat(out, ";")
    ]]
    raises("main.lua:1: bad argument #2 to 'rep' (number expected, got no value)", "local s = string.rep('x')")
  end)

  it("and strings end at the memory cap", function()
    for _, source in ipairs {
      "return ('x'):rep(1e9)", "return ('x'):rep(1e8, ',')", "return pcall(string.rep, ('x'):rep(1000), 1e8)",
      "local t = {} for i = 1, 2000 do t[i] = ('x'):rep(1e5) end return pcall(table.concat, t)",
      "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e5) end return pcall(string.format, ('%s'):rep(100), unpack(t))",
      "local t = {} for i = 1, 5e5 do t[i] = i end return pcall(table.sort, t)",
    } do
      local kind, err = start(source, { memory = 8 * 2 ^ 20 })
      assert.equal("error", kind, source)
      assert.equal("memory_limit", err.code, source)
    end
    assert.equal("", select(2, start "return (''):rep(1e9)"))
  end)
end)
