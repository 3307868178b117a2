-- What all workers and instances share beside the database: values with a time to live, and streams
-- of events. Redis keeps it where one is configured, else the database does.
--
-- While Redis is away (the mode is "degraded") the database stands in: values are kept in table
-- keys and move to Redis when it is back; events stay in table streams, where the transaction of
-- their fact has put them, and are published in order. A value may be gone at any time, as in every
-- cache: the truth is elsewhere.

local audit = require "parley.store.audit"
local events = require "parley.shared.events"
local host_redis = require "host.redis"
local json = require "host.json"
local kept = require "parley.shared.kept"
local publisher = require "parley.shared.publisher"
local redis = require "parley.shared.redis"
local sql = require "parley.shared.sql"
local task = require "host.task"
local watch = require "parley.shared.watch"

local M = {}
M.__index = M

M.STATE_TTL_S = 600
local STATES = 200 -- dialogs whose states one script writes

-- How calls end that say that Redis is not fit to be used, not that the call was wrong.
local AWAY = { unavailable = true, timeout = true, closed = true, busy = true }

local function note(self, severity, details)
  local ok, err = self.db:commit {
    audit.insert {
      source = "redis", action = "mode_changed", severity = severity, details = details,
    },
  }
  if not ok then
    self.log("error", "the change of the mode was not stored", { error = err.message })
  end
end

local function change(self, mode, severity, err)
  self.current, self.reason = mode, err and err.message
  local details = {
    mode = mode, instance = self.id, code = err and err.code, reason = err and err.message,
  }
  self.log(severity == "info" and "info" or "warn",
    mode == "degraded" and "Redis is away: the database stands in" or "Redis is used", details)
  task.spawn(note, self, severity, details)
end

---@param deps {db: table, url: string|nil, log: function, id: string|nil} url: of Redis; id: of
---  this worker
---@return table|nil shared
---@return table|nil err the URL is none; a Redis that is away is no error
function M.open(deps)
  local self = setmetatable({
    db = deps.db, log = deps.log, id = deps.id, sql = sql.new(deps.db), current = "sql",
  }, M)
  if not deps.url then return self end
  local err
  self.client, err = host_redis.open { url = deps.url, timeout_ms = watch.TIMEOUT_MS }
  if not self.client then
    err.message = "redis_url: " .. err.message
    return nil, err
  end
  self.redis = redis.new(self.client)
  self.states, self.states_more = {}, task.cond()
  local function ready() return self.current == "redis" end
  local function failed(e) self:failed(e) end
  self.publisher = publisher.new {
    db = self.db, redis = self.redis, log = self.log, ready = ready, failed = failed,
  }
  self.kept = kept.new { redis = self.redis, log = self.log, ready = ready, failed = failed }
  self.watch = watch.new {
    client = self.client,
    on_away = function(e) change(self, "degraded", "warning", e) end,
    on_back = function()
      local ok = self.sql:drain(function(rows) return self.redis:take(rows) end)
      if ok then
        change(self, "redis", "info")
        self.kept:refresh()
      end
      return ok
    end,
  }
  -- What an earlier run has left in the database goes over before anything is read from Redis.
  local ok
  ok, err = self.sql:drain(function(rows) return self.redis:take(rows) end)
  if ok then ok, err = self.client:call "PING" end
  if ok then
    self.current, self.watch.fit = "redis", true
  else
    change(self, "degraded", "warning", err)
  end
  return self
end

---@return "redis"|"sql"|"degraded"
function M:mode() return self.current end

---The client of host.redis, while it may be used; report what goes wrong with it by :failed.
---@return table|nil client
function M:redis_client() return self.current == "redis" and self.client or nil end

---Takes Redis out of use while there is a reason, whether it is well or not.
---@param reason string|nil nil: it is used when it is well
function M:hold(reason) if self.client then self.watch:hold(reason) end end

---A call of redis_client has failed.
---@param err table
function M:failed(err) if AWAY[err.code] then self.watch:failed(err) end end

-- In Redis, or in the database when there is none or it has just gone.
local function either(self, what, ...)
  if self.current == "redis" then
    local value, err = self.redis[what](self.redis, ...)
    if not err or not AWAY[err.code] then return value, err end
    self.watch:failed(err)
  end
  return self.sql[what](self.sql, ...)
end

---@param key string
---@return string|nil value nil without an err: there is none
---@return table|nil err
function M:get(key) return either(self, "get", key) end

---@param key string
---@param value string not empty
---@param ttl_s number|nil seconds; nil: until it is deleted
---@return boolean|nil ok
---@return table|nil err
function M:set(key, value, ttl_s)
  if type(value) ~= "string" or value == "" then error("set: a text expected, not empty", 2) end
  return either(self, "set", key, value, ttl_s)
end

---@param key string
---@return boolean|nil ok
---@return table|nil err
function M:delete(key) return either(self, "delete", key, self.client and true) end

---Puts an event on its way to a stream: a statement for the transaction of the fact, nil when no
---Redis is configured (audit_logs has the fact). Call :published after the commit.
---@param stream string|nil default: where the contract says that this event goes
---@param event parley.shared.Event
---@return table|nil statement
function M:event(stream, event)
  if not self.client then return nil end
  stream = stream or events.stream_of(event.action, event.source)
  return stream and events.of_event(stream, event) or nil
end

---The same for rows of audit_logs; those that go to no stream are left out.
---@param rows any[][] id, source, action, severity, trace_id, details, created_at
---@return table|nil statement
function M:events(rows) return self.client and events.of_rows(rows) or nil end

---A fact that belongs to no turn: its row of audit_logs and, where its event goes to a stream, what
---puts it there. At the end of a list both take their places by themselves.
---@param event {source: string, action: string, severity: string, details: table|nil}
---@return table statement
---@return table|nil statement
function M:fact(event)
  local row = audit.insert(event)
  return row, self:events(row.rows)
end

---A transaction with events of :event, :events or :fact is stored.
function M:published() if self.client then self.publisher:wake() end end

---A turn is stored: its events may go out, and the state of its dialog to its key, which lives
---M.STATE_TTL_S seconds and is a copy for readers outside; dialogs.state is the truth.
---@param dialog {id: string, reset_version: integer, status: string, state: table}
---@param version integer of the row
function M:stored(dialog, version)
  if not self.client then return end
  self.publisher:wake()
  if self.current ~= "redis" then return end
  self.states["dialog:state:" .. dialog.id] = {
    version = version, state = dialog.state, status = dialog.status,
    reset_version = dialog.reset_version,
  }
  self.states_more:broadcast()
end

local function encode_state(key, s)
  if next(s.state) == nil then return { key = key, value = "", version = s.version } end
  local head = json.encode { state = s.state, status = s.status, reset_version = s.reset_version }
  return {
    key = key, version = s.version, value = ('%s,"version":%d}'):format(head:sub(1, -2), s.version),
  }
end

-- Of each dialog the newest only, many by one script.
local function write_states(self)
  while true do
    local batch = {}
    for key, s in pairs(self.states) do
      if #batch == STATES then break end
      batch[#batch + 1] = encode_state(key, s)
      self.states[key] = nil
    end
    if #batch == 0 then
      self.states_more:wait(60)
    elseif self.current == "redis" then
      local ok, err = self.redis:states(batch, M.STATE_TTL_S)
      if not ok then self:failed(err) end
    end
  end
end

---Keeps a key in Redis, while there is one, for readers outside. Before :begin.
---@param key string
---@param text fun(): string|nil, table|nil what it holds; nil: an err
function M:keep(key, text) if self.client then self.kept:add(key, text) end end

---What the keys of :keep hold may have changed.
function M:refresh() if self.client then self.kept:refresh() end end

---Begins the work that nobody asks for. One worker of all publishes.
---@param cluster table parley.cluster
function M:begin(cluster)
  if not self.client then return end
  self.tasks = {
    task.spawn(self.watch.run, self.watch),
    task.spawn(write_states, self),
    task.spawn(self.kept.run, self.kept),
  }
  cluster:lead("streams", function(lease) self.publisher:run(lease) end)
end

---For /healthz.
---@return {status: string, mode: string, reason: string|nil}
function M:health()
  return {
    status = self.current == "degraded" and "degraded" or "ok", mode = self.current,
    reason = self.current == "degraded" and self.reason or nil,
  }
end

---For the metrics: those of the client, and how many events were published.
---@return table
function M:stats()
  local s = self.client and self.client:stats() or {}
  s.published = self.publisher and self.publisher.published or 0
  return s
end

function M:close()
  for _, t in ipairs(self.tasks or {}) do t:cancel() end
  if not self.client then return end
  self.watch.fit, self.current = false, "degraded" -- the publisher stops by itself
  self.client:close()
  self.client = nil
end

return M
