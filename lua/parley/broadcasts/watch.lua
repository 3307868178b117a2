-- One worker of all carries broadcasts out. It keeps only a few seconds' worth of deliveries in the
-- outbox: then what answers people is never far behind them, and a pause is felt at once.

local audience = require "parley.broadcasts.audience"
local audit = require "parley.store.audit"
local collect = require "parley.broadcasts.collect"
local feed = require "parley.broadcasts.feed"
local rows = require "parley.broadcasts.rows"
local time = require "host.time"

local M = {}
M.__index = M

local AHEAD_MIN, AHEAD_MAX = 60, 1000 -- deliveries in the outbox
local AHEAD_S = 3                     -- as many as go out in this time
local LOOK_MIN_S, LOOK_MAX_S = 0.1, 2 -- the longer, the longer nothing has happened
local IDLE_S = 30                     -- nothing is live; an order wakes at once
local SMOOTH_S = 10                   -- over which the speed is measured

---@param core {db: table, telegram: table, cluster: table, log: function}
function M.new(core)
  local self = setmetatable({ core = core, db = core.db, log = core.log, paces = {} }, M)
  core.cluster:on("broadcasts", function()
    self.ordered = true -- also while it is looking
    if self.lease then self.lease:wake() end
  end)
  return self
end

-- How fast a broadcast goes: recipients per second, over the last seconds.
local function pace_of(self, id)
  local p = self.paces[id]
  if not p then
    p = { rate = 0, at = time.mono() }
    self.paces[id] = p
  end
  return p
end

local function measure(p, finished)
  local now = time.mono()
  local passed = math.max(now - p.at, 0.001)
  local weight = 1 - math.exp(-passed / SMOOTH_S)
  -- The first seconds have nothing to be smoothed with.
  p.seen = math.min((p.seen or 0) + passed, SMOOTH_S)
  weight = math.max(weight, passed / p.seen)
  p.rate, p.at = p.rate + (finished / passed - p.rate) * weight, now
  return math.floor(p.rate * 60 + 0.5)
end

local function begin(self, lease, b)
  local now = time.now_ms()
  b.started_at = b.started_at or now
  local n, err = audience.count(self.db, b)
  if not n then return nil, err end
  local ok
  ok, err = self.db:commit {
    lease:guard(),
    {
      "UPDATE broadcasts SET state = 'running', started_at = $3, candidates = $4 "
        .. "WHERE id = $1 AND state = $2", b.id, b.state, b.started_at, n, expect = 1,
    },
  }
  if not ok then return nil, err end
  b.state, b.candidates = "running", n
  return true
end

local function finish(self, lease, b)
  local view = rows.view(b).progress
  local ok, err = self.db:commit {
    lease:guard(),
    {
      "UPDATE broadcasts SET state = 'done', live = 0, finished_at = $2 "
        .. "WHERE id = $1 AND state = 'running'", b.id, time.now_ms(), expect = 1,
    },
    audit.insert {
      source = "core", action = "broadcast_done", severity = "info", trace_id = b.trace_id,
      details = {
        broadcast_id = b.id, bot = b.bot, label = b.label, sent = view.sent,
        blocked = view.blocked, failed = view.failed, uncertain = view.uncertain,
      },
    },
  }
  if not ok then return nil, err end
  self.log("info", "a broadcast is done", {
    broadcast_id = b.id, bot = b.bot, trace_id = b.trace_id, sent = view.sent,
    blocked = view.blocked, failed = view.failed, uncertain = view.uncertain,
  })
  return true
end

-- It stands still, and all that was on its way has arrived.
local function rest(self, lease, b)
  return self.db:commit {
    lease:guard(),
    { "UPDATE broadcasts SET live = 0 WHERE id = $1 AND state = $2", b.id, b.state, expect = 1 },
  }
end

-- Fills the outbox up to what goes out within seconds.
local function fill(self, lease, b, open, ahead)
  local fed, each = 0, 1
  while b.exhausted == 0 and open + each <= ahead and lease:held() do
    local limit, taken = math.floor((ahead - open) / each), b.taken
    local n, err = feed.page(self.core, lease, b, math.min(audience.PAGE, limit))
    if not n then return nil, err end
    if n > 0 then each = math.ceil(n / (b.taken - taken)) end -- messages for one recipient
    open, fed = open + n, fed + n
  end
  return fed, nil, open
end

-- One step of one broadcast. Returns whether anything has happened.
local function step(self, lease, b, share)
  if b.state == "scheduled" and b.start_at > time.now_ms() then return false end
  local ok, err = true, nil
  if b.state == "scheduled" or (b.state == "running" and not b.candidates) then
    ok, err = begin(self, lease, b)
  end
  if not ok then return nil, err end
  local p = pace_of(self, b.id)
  local open, finished = collect.run(self.db, lease, b, function(n) return measure(p, n) end)
  if not open then return nil, finished end
  if b.state ~= "running" then
    if open > 0 then return finished > 0 end
    ok, err = rest(self, lease, b)
    return ok ~= nil or nil, err
  end
  local ahead = math.min(math.max(p.rate * AHEAD_S, AHEAD_MIN), AHEAD_MAX) / share
  local fed
  fed, err, open = fill(self, lease, b, open, math.ceil(ahead))
  if not fed then return nil, err end
  if b.exhausted == 1 and open == 0 then
    ok, err = finish(self, lease, b)
    if not ok then return nil, err end
    return true
  end
  return finished + fed > 0
end

-- "conflict": an order has come in between, or another worker leads. The next look shows which.
local function try(self, lease, b, share)
  local happened, err = step(self, lease, b, share)
  if happened == nil and err.code ~= "conflict" then
    self.log("error", "a broadcast cannot go on", {
      broadcast_id = b.id, bot = b.bot, code = err.code, error = err.message,
      trace_id = b.trace_id,
    })
    return false
  end
  return happened ~= false
end

local function running_by_bot(live)
  local out = {}
  for _, b in ipairs(live) do
    if b.state == "running" then out[b.bot] = (out[b.bot] or 0) + 1 end
  end
  return out
end

-- All that are live once. Returns whether anything has happened, and seconds until something must.
local function look(self, lease)
  local live, err = rows.live(self.db)
  if not live then
    self.log("error", "broadcasts cannot be read", { code = err.code, error = err.message })
    return false, LOOK_MAX_S
  end
  local running, known, happened, pause = running_by_bot(live), {}, false, IDLE_S
  for _, b in ipairs(live) do
    known[b.id] = self.paces[b.id]
    if not lease:held() then break end
    if try(self, lease, b, running[b.bot] or 1) then happened = true end
    known[b.id] = self.paces[b.id]
    local wait = LOOK_MAX_S
    if b.state == "scheduled" then wait = math.max(b.start_at - time.now_ms(), 0) / 1000 end
    pause = math.min(pause, wait)
  end
  self.paces = known
  return happened, pause
end

---Carries broadcasts out until another worker does.
---@param lease parley.Lease
function M:run(lease)
  self.lease, self.paces = lease, {}
  local wait = LOOK_MIN_S
  while lease:held() do
    self.ordered = false
    local happened, pause = look(self, lease)
    wait = happened and LOOK_MIN_S or math.min(wait * 2, math.max(pause, LOOK_MIN_S))
    if not self.ordered then lease:sleep(math.min(wait, pause)) end
  end
end

return M
