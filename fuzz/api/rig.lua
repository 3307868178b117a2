-- Sends the requests of fuzz.api.grammar to a real core: each gets an answer of the contract, which
-- is never that something went wrong inside.

local compile = require("parley.schema.compile").compile
local grammar = require "fuzz.api.grammar"
local host = require "spec.support.host"
local json = require "host.json"
local log_watch = require "fuzz.lib.log_watch"
local problem = require "parley.http.problem"
local token = require "parley.auth.token"

local M = {}
M.__index = M

-- Their routes do too much, or what they do is not answered here.
local LEFT_OUT = { ["/api/v1/admin/reload"] = true }

local function routes_of(core)
  local out, checks = {}, {}
  for _, route in ipairs(core.router.routes) do
    if route.auth and not LEFT_OUT[route.path] then out[#out + 1] = route end
    if route.response then checks[route] = compile(route.response) end
  end
  table.sort(out, function(a, b) return a.path .. a.method < b.path .. b.method end)
  return out, checks
end

---@param options {seed: integer, before: function|nil, after: function|nil}
---@return fuzz.Rig
function M.new(options)
  local self = setmetatable({
    seed = options.seed, before = options.before or function() end,
    after = options.after or function() end, counts = {}, requests = 0,
  }, M)
  self.watch = log_watch.start()
  self.host = host.start { config = "return { allow_private_plugins = true }" }
  self.routes, self.checks = routes_of(self.host.core)
  self.clients = {}
  for kind in pairs(token.KINDS) do self.clients[kind] = self.host:client(kind, token.SCOPES) end
  self.spare = select(2, self.host:make_token { "dialogs:read" })
  return self
end

local function fail(number, request, fmt, ...)
  error(("case %d: %s: %s"):format(number, request, fmt:format(...)), 0)
end

-- An answer of 400 and above is a problem document with a code of the contract.
local function check_problem(number, where, r)
  local known = type(r.body) == "table" and problem.CODES[r.body.code]
  if not known then fail(number, where, "no problem of the contract: %d %s", r.status, r.text) end
  if r.status >= 500 or known[1] ~= r.status then
    fail(number, where, "answered with %d: %s", r.status, r.text)
  end
end

function M:check(number, request)
  local path = request.path:gsub("SPARE", self.spare)
  local where = request.method .. " " .. path
  local r = self.clients[request.auth](request.method, path, request.body, request.headers)
  self.requests = self.requests + 1
  self.counts[r.status] = (self.counts[r.status] or 0) + 1
  local said = self.watch:take()
  if said then fail(number, where, "%s", said) end
  if request.method == "HEAD" then return end
  if r.status == 405 or r.status == 400 and r.body == nil then return end -- of the server itself
  if r.status >= 400 then return check_problem(number, where, r) end
  local route = self.host.core.router:match(request.method, (path:match "^[^?]*"))
  local errors = route and self.checks[route] and self.checks[route](r.body)
  if errors then
    fail(number, where, "the answer is not of the contract: %s %s", json.encode(errors[1]), r.text)
  end
end

---Runs one case. Raises when something does not hold.
---@param number integer
---@param source string|nil default: what the grammar makes of the number
function M:run(number, source)
  source = source or grammar.case(self.seed, number, self.routes)
  self.before(number, source)
  for _, request in ipairs(assert(loadstring(source, "=case"))()) do self:check(number, request) end
  self.after(number)
end

function M:round(first, last)
  for number = first, last do self:run(number) end
end

---@return table<string, integer>
function M:numbers()
  local out = { requests = self.requests }
  for status, n in pairs(self.counts) do out["answered " .. status] = n end
  return out
end

function M:check_leaks()
  assert(self.host.core.server:stats().busy == 0, "a request is still being served")
end

function M:close()
  self.host:stop()
  self.watch:stop()
end

return M
