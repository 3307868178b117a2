-- One webhook-id, one effect: Parley sends a call again after a connection that broke, after 429,
-- 502, 503, 504, and after a crash of its own.
--
-- From outside an effect shows only in the answer: a plugin that answers everything alike passes
-- whatever it does. 409 is fine too: Parley takes it for a failure, and nothing is done twice.

local json = require "host.json"
local task = require "host.task"

local TIMES = 3

local FIX = "keep the answers of the last ids beside their effects and give them again; "
  .. "docs/rest-plugins.md shows how"

-- As the second attempt is: the same id and event, a new timestamp, so another signature.
local function again(t, request, attempt)
  request.attempt = attempt
  local call = t:sign(request)
  call.headers["parley-attempt"] = attempt
  return call
end

local function differs(first, r)
  if not r or r.status ~= first.status then return not (r and r.status == 409) end
  local a, b = json.decode(first.body), json.decode(r.body)
  return b == nil or json.encode(a, { sorted = true }) ~= json.encode(b, { sorted = true })
end

local function says_otherwise(t, first, r, err)
  if differs(first, r) then
    return ("first %s, then %s"):format(t.describe(first), t.describe(r, err))
  end
end

local function in_turn(t)
  local request = t:envelope()
  local call = t:sign(request)
  local first, err = t:send(call)
  local problem = t:judge(call, first, err)
  if problem then return problem end
  for attempt = 2, TIMES do
    problem = says_otherwise(t, first, t:send(again(t, request, attempt)))
    if problem then return problem end
  end
end

-- The second comes while the first may still be running.
local function at_once(t)
  local request, calls, tasks, first = t:envelope(), {}, {}, nil
  for attempt = 1, TIMES do
    local call = again(t, request, attempt)
    calls[attempt] = call
    tasks[attempt] = task.spawn(function() return { t:send(call) } end)
  end
  for i = 1, TIMES do
    local _, got = assert(tasks[i]:join())
    local r, err = got[1], got[2]
    if not (r and r.status == 409) then
      local problem
      if first then problem = says_otherwise(t, first, r, err)
      else problem = t:judge(calls[i], r, err) end
      if problem then return problem end
      first = first or r
    end
  end
  if not first then return "all of them were answered with 409" end
end

return {
  {
    name = "a call that comes again gets the first answer, or 409",
    level = "must", needs = "answer", fix = FIX, run = in_turn,
  },
  {
    name = "calls of one id that come at once get one answer, or 409",
    level = "must", needs = "answer", run = at_once,
    fix = "let the second wait for the first, or refuse it with 409, under a lock or a unique key",
  },
  {
    name = "a refused call leaves its id free",
    level = "must", needs = "answer",
    fix = "check the signature before the id is looked up or kept: anybody could use up ids",
    run = function(t)
      local good = t:sign(t:envelope())
      local forged = t:sign(good.body, { id = good.headers["webhook-id"], key = ("x"):rep(32) })
      return t:refused(forged) or t:judge(good, t:send(good))
    end,
  },
}
