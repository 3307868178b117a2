-- How long after the end of its budget a plugin that runs away is stopped, by what it does meanwhile.

local figures = require "tools.bench.plugins.figures"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local time = require "host.time"

local RUNS = 100
local BUDGET_MS = 50
local GOAL_MS = 100

local KINDS = {
  { "a loop", "while true do end" },
  { "a loop in pcall", "while true do pcall(function() while true do end end) end" },
  { "an error handler", "xpcall(function() while true do end end, function() while true do end end)" },
  { "nested coroutines", "local function f() coroutine.wrap(f)() end while true do pcall(f) end" },
  { "a sort comparator", "local t = {} for i = 1, 1e5 do t[i] = i % 7 end "
    .. "while true do table.sort(t, function(a, b) return a < b end) end" },
  { "sorts of large tables", "local t = {} for i = 1, 2e5 do t[i] = i * 7919 % 65537 end "
    .. "while true do t[1] = t[1] + 1 table.sort(t) end" },
  { "a gsub callback", "while true do (('x'):rep(1e5)):gsub('.', function() end) end" },
  { "gsub of large texts", "local s = ('ab'):rep(5e5) while true do s:gsub('a', 'c') end" },
  { "a pattern that backtracks", "local s = ('a'):rep(1000) while true do s:find(('.-'):rep(20) .. 'b') end" },
  { "texts that grow", "while true do local s = 'x' for i = 1, 20 do s = s .. s end end" },
  { "a tostring hook", "local t = setmetatable({}, { __tostring = function() while true do end end }) tostring(t)" },
  { "garbage", "while true do local t = {} for i = 1, 1000 do t[i] = { i } end end" },
}

local MAIN = [[
local p = parley.plugin()
p.on.command("runaway", function() %s end)
return p]]

local request = {
  invocation_id = "01a1fcce-897d-729f-bd01-262bc42736da", attempt = 1, deadline_ms = 5000, plugin = "runaway",
  dialog = { id = "d", channel = "api", reset_version = 0, state = {} },
  user = { id = "01a1fcce-897d-729f-bd01-262bc42736da", role = "user", locale = "en", name = "Alice" },
  event = { type = "text", message = { user = { external_id = "alice" }, type = "text", text = "/runaway" } },
  config = {}, trace_id = "0af7651916cd43dd8448eb211c80319c",
}

local limits = ('{"cpu_ms":%d,"timeout_ms":5000,"memory_mb":64}'):format(BUDGET_MS)
local m = assert(manifest.check(figures.MANIFEST:format("runaway", limits, "runaway")))

local late, worst = {}, {}
for run = 1, RUNS do
  local kind = KINDS[(run - 1) % #KINDS + 1]
  local driver = assert(lua_driver.new(m, { main = MAIN:format(kind[2]), lib = {} }))
  local since = time.mono()
  local _, err = driver:invoke(request, function() end)
  local ms = (time.mono() - since) * 1000 - BUDGET_MS
  assert(err and err.code == "cpu_limit", kind[1] .. ": " .. (err and err.code or "has ended"))
  late[run] = ms
  worst[kind[1]] = math.max(worst[kind[1]] or 0, ms)
  driver:close()
end
local largest = figures.quantile(late, 1)
figures.row(("%d runaways stopped after their %d ms"):format(RUNS, BUDGET_MS),
  ("median %.1f, p90 %.1f, max %.1f ms"):format(figures.median(late), figures.quantile(late, 0.9), largest),
  ("at most %d ms"):format(GOAL_MS), largest <= GOAL_MS)
for _, kind in ipairs(KINDS) do
  figures.row("  in " .. kind[1], ("max %.1f ms"):format(worst[kind[1]]))
end
