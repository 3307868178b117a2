-- HTTP: what else comes to the port, and how much of it.

local http = require "host.http_client"
local task = require "host.task"

local AT_ONCE = 16
local SHORT = 1000 -- milliseconds
local BIG = 2 * 1024 * 1024 -- bytes; no call of Parley's has half of that

local function is_refusal(r) return r ~= nil and r.status >= 400 and r.status < 500 end

local function not_invoked(method)
  return {
    name = method .. " /invoke does nothing",
    level = "must",
    fix = "answer 405 with \"Allow: POST\": crawlers and health checks send " .. method,
    run = function(t)
      local r, err = t:exchange(method, "/invoke")
      if not is_refusal(r) then return "405 was expected, got " .. t.describe(r, err) end
    end,
  }
end

local function at_once(t)
  local tasks, first = {}, nil
  for i = 1, AT_ONCE do
    local request = t:envelope()
    tasks[i] = task.spawn(function() return t:ask(request) end)
  end
  for i = 1, AT_ONCE do
    local _, problem = assert(tasks[i]:join())
    first = first or problem
  end
  return first
end

-- The client keeps connections that the plugin leaves open: the second call needs no new one.
local function keeps(t)
  for i = 1, 2 do
    local before = http.stats().connections
    local problem = t:ask(t:envelope())
    if problem then return problem end
    if i == 2 and http.stats().connections > before then
      return "the connection was closed after the answer"
    end
  end
end

local function heeds_deadline(t)
  local request = t:envelope()
  request.deadline_ms = math.min(SHORT, request.deadline_ms)
  return t:ask(request, request.deadline_ms / 1000)
end

return {
  not_invoked "GET",
  not_invoked "HEAD",
  {
    name = "another path is 404",
    level = "should",
    fix = "answer 404, so that a wrong endpoint is noticed at once",
    run = function(t)
      local r, err = t:exchange("POST", "/conformance/no-such-path", t.key and t:sign("{}"))
      if not is_refusal(r) then return "404 was expected, got " .. t.describe(r, err) end
    end,
  },
  {
    name = "a signed body that is no JSON is refused",
    level = "should", needs = "answer",
    fix = "answer 400: an exception that nobody catches is 500, or no answer at all",
    run = function(t)
      local r, err = t:send(t:sign "{\"invocation_id\": ")
      if not is_refusal(r) then return "400 was expected, got " .. t.describe(r, err) end
    end,
  },
  {
    name = "a body of 2 MiB is refused",
    level = "should", needs = "answer",
    fix = "answer 413 from Content-Length and read no more of it: 1 MiB is enough for every call",
    run = function(t)
      local request = t:envelope()
      request.x_conformance = ("x"):rep(BIG)
      local r, err = t:send(t:sign(request))
      -- Who closes while we still write may be seen as a connection that was cut off.
      if is_refusal(r) or (err and err.code == "connection") then return nil end
      return "413 was expected, got " .. t.describe(r, err)
    end,
  },
  {
    name = ("%d calls at once are answered"):format(AT_ONCE),
    level = "must", needs = "answer",
    fix = "serve calls side by side: Parley sends up to 128 at a time",
    run = at_once,
  },
  {
    name = "the connection is kept for the next call",
    level = "should", needs = "answer",
    fix = "answer with HTTP/1.1 and Content-Length, and do not close: a new connection costs a "
      .. "round trip, with TLS two",
    run = keeps,
  },
  {
    name = "a call that has one second is answered in it",
    level = "should", needs = "answer",
    fix = "heed deadline_ms: answer with what there is, or with 202 and go on later; afterwards "
      .. "nobody waits",
    run = heeds_deadline,
  },
  {
    name = "after all of this a call is still answered",
    level = "must", needs = "answer",
    fix = "see the plugin's log: something above has broken it",
    run = function(t) return t:ask(t:envelope()) end,
  },
}
