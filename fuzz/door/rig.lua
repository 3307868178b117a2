-- Runs cases of fuzz.door.grammar in whole turns of a real core, and checks what must hold: nothing
-- raises in the core, a refusal has a code and a message, the client gets an answer of the contract
-- and finds it stored.

local chance = require "fuzz.lib.chance"
local compile = require("parley.schema.compile").compile
local fs = require "host.fs"
local gate = require "parley.plugins.gate"
local grammar = require "fuzz.door.grammar"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local log_watch = require "fuzz.lib.log_watch"
local sandbox = require "host.sandbox"
local side_by_side = require "fuzz.lib.side_by_side"

local M = {}
M.__index = M

local RELOAD = 200 -- cases: the plugin's state keeps each of them

local MANIFEST = {
  permissions = { "kv", "history", "jobs", "events", "llm:chat", "notify", "http:*.example.org" }, secrets = { "crm" },
  limits = { memory_mb = 64, calls = 1000, http = 50, timeout_ms = 2000, cpu_ms = 200 },
  commands = { { name = "run" }, { name = "gate" }, { name = "noop" } },
}

local CONFIG = [[return {
  http_requests_per_second = nil,
  plugins = { fuzzed = { allow_private = true } }, secrets = { crm = "s3cret-of-the-operator" },
}]]

-- The server that plugins may ask: answers of any kind.
local function answer_anything(request)
  local random = chance.new(1, #(request:body() or ""))
  local body = random:one_of { "", "{}", "[1,{\"a\":null}]", "{", "\255", ("x"):rep(5000), "null", "1e999" }
  request:respond(random:one_of { 200, 204, 302, 404, 500 }, random:one_of {
    "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n", "X-A: \255\r\n",
    "Content-Type: application/x+json\r\nLocation: http://127.0.0.2/\r\n",
  }, body)
end

local POST, GET = "/api/v1/dialogs/{dialog_id}/messages", "/api/v1/dialogs/{dialog_id}"

-- What the contract says of the two answers that a client gets.
local function response_checks(core)
  local out = {}
  for _, route in ipairs(core.router.routes) do
    if route.path == (route.method == "POST" and POST or GET) then
      out[route.method] = compile(route.response)
    end
  end
  return out
end

---@param options {seed: integer, before: function|nil, after: function|nil}
---@return fuzz.Rig
function M.new(options)
  local self = setmetatable({
    seed = options.seed, before = options.before or function() end,
    after = options.after or function() end, counts = {}, cases = 0, calls = 0,
  }, M)
  -- The plugin reports of its calls.
  self.watch = log_watch.start(function(message) return message:find "^BROKEN " ~= nil end)
  self.server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, answer_anything))
  local manifest = json.decode(json.encode(MANIFEST))
  manifest.permissions[#manifest.permissions + 1] = "http:127.0.0.1:" .. self.server:port()
  self.host = host.start {
    plugins = { fuzzed = { manifest = manifest, main = assert(fs.read "fuzz/door/plugin.lua") } },
    config = CONFIG,
  }
  self.checks = response_checks(self.host.core)
  self:guard_gate()
  return self
end

local function fail(number, fmt, ...)
  error(("case %d: %s"):format(number, fmt:format(...)), 0)
end

function M:count(key) self.counts[key] = (self.counts[key] or 0) + 1 end

local function deep(n)
  local t = {}
  for _ = 1, n do t = { t } end
  return t
end

local function wide(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end

local function pack(...) return { n = select("#", ...), ... } end

-- What a service answers crosses into the plugin, whatever it was asked.
function M:check_answer(number, call, r)
  if not r[1] then fail(number, "%s raised in the core: %s", call, tostring(r[2])) end
  local value, err = r[2], r[3]
  if value == nil and err ~= nil then
    if type(err) ~= "table" or type(err.code) ~= "string" or type(err.message) ~= "string" then
      fail(number, "%s: a failure without code and message", call)
    end
    self:count("refused " .. err.code)
  else
    self:count "served"
  end
  local ok, e = self.crossing:compile("same", "return ...", "=same")
  assert(ok, e)
  local kind, problem = self.crossing:start("same", 0, 0, unpack(r, 2, r.n))
  if kind ~= "done" and problem.code ~= "too_large" then
    fail(number, "%s: its answer cannot cross: %s", call, problem.message)
  end
end

-- Puts the calls of a case in front of the call by which its plugin has reached the gate.
function M:guard_gate()
  self.door, self.pending = gate.door, {}
  self.crossing = assert(sandbox.new {
    name = "crossing", memory = 64 * 1024 * 1024, prelude = require("parley.engine.prelude").text(),
  })
  gate.door = function(invocation)
    local serve = self.door(invocation)
    return function(name, ...)
      local case = self.pending[invocation.dialog_id]
      if case and name == "uuid" then
        self.pending[invocation.dialog_id] = nil
        for _, call in ipairs(case.calls) do
          self.calls = self.calls + 1
          self:check_answer(case.number, call[1], pack(pcall(serve, call[1], unpack(call.a, 1, call.n))))
        end
      end
      return serve(name, ...)
    end
  end
end

-- The calls of a gate case.
local function calls_of(number, source)
  local chunk, problem = loadstring(source, "=case")
  if not chunk then fail(number, "is no Lua: %s", problem) end
  setfenv(chunk, { null = json.null, array = json.array, deep = deep, wide = wide })
  local ok, calls = pcall(chunk)
  if ok then return calls end
end

-- Puts a module into the plugin's state, a new one when the old one was stopped.
function M:install(number, source)
  for _ = 1, 3 do
    local driver = self.host.core.manager.current.chooser.by_name.fuzzed.driver
    local ok, err
    if driver.state then ok, err = driver.state:compile("lib:case" .. number, source, "=case") end
    if ok then return true end
    if err and err.code == "syntax" then fail(number, "is no Lua: %s", err.message) end
    self.host:say("noop", "/noop")
  end
end

-- The turn is there for whoever reads the dialog: what was said, and an answer.
function M:check_stored(number, dialog, said)
  local r = self.host:request("GET", "/api/v1/dialogs/" .. dialog)
  if r.status ~= 200 then fail(number, "the dialog cannot be read: %d %s", r.status, r.text) end
  local errors = self.checks.GET(r.body)
  if errors then fail(number, "what was stored is not of the contract: %s", json.encode(errors[1])) end
  local first, second = r.body.messages[1], r.body.messages[2]
  if not (first and first.payload.text == said and second and second.sender_type == "plugin") then
    fail(number, "the turn is not stored: %s", r.text)
  end
end

---Runs one case. Raises when something does not hold.
---@param number integer
---@param source string|nil default: what the grammar makes of the number
function M:run(number, source)
  source = source or (grammar.case(self.seed, number):gsub("%%PORT%%", self.server:port()))
  self.before(number, source)
  local dialog, text = "d" .. number, "/run case" .. number
  self.cases = self.cases + 1
  if source:find "return function" then
    if not self:install(number, source) then return self.after(number) end
    self:count "sdk cases"
  else
    text = "/gate"
    local calls = calls_of(number, source)
    if not calls then return self.after(number) end
    self.pending[dialog] = { number = number, calls = calls }
    self:count "gate cases"
  end
  local r = self.host:say(dialog, text)
  local said = self.watch:take(dialog)
  if said then fail(number, "%s", said) end
  if r.status ~= 200 then fail(number, "answered with %d: %s", r.status, r.text) end
  local errors = self.checks.POST(r.body)
  if errors then fail(number, "the answer is not of the contract: %s", json.encode(errors[1])) end
  self:count("turn " .. tostring(r.body.status))
  self:check_stored(number, dialog, text)
  self.after(number)
end

function M:round(first, last)
  side_by_side(first, last, function(number) self:run(number) end)
  if self.cases >= (self.reload_at or RELOAD) then
    self.reload_at = self.cases + RELOAD
    assert(self.host.core:reload())
  end
end

---@return table<string, integer>
function M:numbers()
  local out = { cases = self.cases, ["gate calls"] = self.calls }
  for key, n in pairs(self.counts) do out[key] = n end
  return out
end

---Nothing waits at the door any more.
function M:check_leaks()
  local dialog = next(self.pending)
  assert(dialog == nil, "a case has not reached the gate: " .. tostring(dialog))
end

function M:close()
  gate.door = self.door
  self.watch:stop()
  self.crossing:close()
  self.host:stop()
  self.server:close()
end

return M
