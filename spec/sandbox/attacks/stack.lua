-- The very end of the stack: what the engine or the host puts there when there is hardly any room left.

-- Calls `act` with `back` frames less than fit: at(back).
local AT_THE_END = [[
  local act, depth
  local function fall(n) depth = n return 1 + fall(n + 1) end
  pcall(fall, 1)
  local function climb(n)
    if n == 0 then return act() end
    return 1 + climb(n - 1)
  end
  local function at(back) return climb(depth - back) end
]]

return {
  { name = "has a __newindex with any number of parameters called there", must = { gives = { true } }, cpu_ms = 10000,
    source = [[
    local t = setmetatable({}, {})
    getmetatable(t).__newindex = function(...) t.x = 1 local _ = 1 end
    local failed
    for _ = 1, 20 do
      failed = not pcall(coroutine.wrap(function() t.x = 1 end))
      for i = 1, 1e4 do local _ = { i } end
    end
    return failed]] },
  { name = "has one called there that begins at any place", must = { gives = { 40 } }, cpu_ms = 10000, source = [[
    local t, failed = setmetatable({}, {}), 0
    getmetatable(t).__newindex = function(...) t.x = 1 local _ = 1 end
    local function shifted(n, ...)
      if n > 0 then return shifted(n - 1, n, ...) end
      t.x = 1
      return ...
    end
    for n = 1, 40 do
      if not pcall(coroutine.wrap(shifted), n) then failed = failed + 1 end
      for i = 1, 1e4 do local _ = { i } end
    end
    return failed]] },
  { name = "has a __lt called there that is a table with a __call", must = { gives = { 20 } }, cpu_ms = 10000, source = [[
    local t, failed = setmetatable({}, {}), 0
    getmetatable(t).__lt = setmetatable({}, { __call = function(...) return not (t < t) end })
    for _ = 1, 20 do
      if not pcall(coroutine.wrap(function() return t < t end)) then failed = failed + 1 end
      for i = 1, 1e4 do local _ = { i } end
    end
    return failed]] },
  { name = "is given many values there by a coroutine", must = { gives = { true } }, cpu_ms = 10000, source = AT_THE_END .. [[
    local many = coroutine.wrap(function() while true do coroutine.yield(unpack({}, 1, 240)) end end)
    local refused = 0
    act = function() return select("#", many()) end
    for back = 0, 60 do
      if not pcall(at, back) then refused = refused + 1 end
    end
    return refused > 1]] },
  { name = "is resumed with many values there", must = { gives = { true } }, cpu_ms = 10000, source = AT_THE_END .. [[
    local refused = 0
    act = function() return select("#", coroutine.yield()) end
    for back = 0, 60 do
      local co = coroutine.create(at)
      coroutine.resume(co, back)
      if not coroutine.resume(co, unpack({}, 1, 4000)) then refused = refused + 1 end
    end
    return refused > 1]] },
  { name = "hands over a deep table from there", must = { ends = "too_large", says = "no room on the stack" },
    cpu_ms = 10000, source = AT_THE_END .. [[
    local deep = {}
    for _ = 1, 28 do deep = { deep } end
    act = function() door("x", deep) return 1 end
    for back = 60, 0, -1 do pcall(at, back) end]] },
  { name = "finds many captures there, after a pause", must = { raises = "stack overflow", breaks = true }, cpu_ms = 10000,
    source = AT_THE_END .. [[
    local subject, pattern = ("a"):rep(400) .. "cab", ("()"):rep(32) .. "a*a*b"
    act = function() return select("#", subject:find(pattern)) end
    for back = 40, 0, -1 do pcall(at, back) end]] },
  { name = "is interrupted in a search with more values than a C function may have", must = { gives = { 8460 } },
    cpu_ms = 10000, source = [[
    local subject, pattern = ("a"):rep(400) .. "cab", "a*a*b"
    local function search(...)
      assert(subject:find(pattern, 1, false, ...) == 402)
      return select("#", ...)
    end
    local function more(n, ...)
      if n == 0 then return search(...) end
      return more(n - 1, ]] .. ("1, "):rep(80) .. [[...)
    end
    return more(7, unpack({}, 1, 7900))]] },
  { name = "loops there, where no room is left to stop it", must = { stops = "cpu_limit" }, source = AT_THE_END .. [[
    local function spin() while true do end end
    act = function() while true do pcall(spin) end end
    while true do
      for back = 12, 0, -1 do pcall(at, back) end
    end]] },
}
