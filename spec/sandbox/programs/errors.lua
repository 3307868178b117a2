-- Errors, as authors use them.

return {
  { name = "catches an error with its line", must = { gives = { false, "main.lua:1: boom" } },
    source = "return pcall(function() error 'boom' end)" },
  { name = "raises at the line of its caller", must = { gives = { "main.lua:2: a number expected" } }, source = [[
local function f(n) if type(n) ~= "number" then error("a number expected", 2) end end
local ok, err = pcall(function() f "x" end)
return err]] },
  { name = "raises error objects", must = { gives = { 404, "not found" } }, source = [[
    local ok, err = pcall(error, { code = 404, message = "not found" })
    return err.code, err.message]] },
  { name = "raises error objects that print themselves", must = { gives = { "E404" } }, source = [[
    local E = { __tostring = function(e) return "E" .. e.code end }
    local ok, err = pcall(error, setmetatable({ code = 404 }, E))
    return tostring(err)]] },
  { name = "passes results through pcall", must = { gives = { true, 1, 2, 3 } },
    source = "return pcall(function(...) return ... end, 1, 2, 3)" },
  { name = "nests pcall and raises again", must = { gives = { "outer: inner" } }, source = [[
    local ok, err = pcall(function()
      local ok, err = pcall(error, "inner", 0)
      error("outer: " .. err, 0)
    end)
    return err]] },
  { name = "handles errors with xpcall", must = { gives = { false, "handled: boom", true, 5 } }, source = [[
    local a, b = xpcall(function() error("boom", 0) end, function(e) return "handled: " .. e end)
    local c, d = xpcall(function(n) return n end, function() end, 5)
    return a, b, c, d]] },
  { name = "asserts with values and messages", must = { gives = { 1, 2, "no way", "assertion failed!" } }, source = [[
    local a, b = assert(1, 2)
    local _, c = pcall(assert, nil, "no way")
    local _, d = pcall(assert, false)
    return a, b, c, d]] },
  { name = "tries again until it works", must = { gives = { 3 } }, source = [[
    local tries = 0
    local function flaky() tries = tries + 1 if tries < 3 then error "not yet" end return tries end
    local ok, v
    repeat ok, v = pcall(flaky) until ok
    return v]] },
  { name = "cleans up after an error", must = { gives = { "closed", false } }, source = [[
    local state = "open"
    local function with(f) local ok = pcall(f) state = "closed" return ok end
    local ok = with(function() error "x" end)
    return state, ok]] },
  { name = "catches errors of the library", must = { gives = { false, false, false } },
    source = "return (pcall(string.rep)), (pcall(ipairs)), (pcall(setmetatable, 1, {}))" },
  { name = "survives the end of its stack", must = { gives = { false, true } }, source = [[
    local function f() return 1 + f() end
    local ok = pcall(f)
    return ok, (pcall(function() return 1 end))]] },
  { name = "returns nil and an error, as the host does", must = { gives = { "nil", "unavailable" } },
    source = "local v, err = door('shop') return tostring(v), err.code",
    serve = function() return nil, { code = "unavailable" } end },
}
