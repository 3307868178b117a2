-- Where what a thread of the host has taken in becomes turns. On SQLite, updates that Telegram
-- brings to a webhook are made durable and acknowledged by that thread (host.intake), in a file
-- beside the database, however busy this one is; here they go to the inbox, many at a time, and
-- only then are they forgotten there. A crash in between has them come to the inbox twice, which
-- knows them.
--
-- On PostgreSQL there is none: the disk of one of many machines is no place for what is
-- acknowledged.

local fifo = require "parley.util.fifo"
local fs = require "host.fs"
local host_intake = require "host.intake"
local meters = require "parley.ops.meters"
local room = require "parley.channels.telegram.room"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local ROUTE, PATTERN = "/tg/webhook/", "/tg/webhook/{bot}"
local SECRET = "X-Telegram-Bot-Api-Secret-Token"
local AT_ONCE = 40 -- rows that are read at a time: a few tenths of a millisecond
local RETRY_S, RETRY_MAX_S = 0.5, 30
local BUSY_S = 0.001
local CONNECTIONS = 64 -- that the thread accepts itself: others are the loop's, and come from there

---@param deps {telegram: table, file: table|nil, log: function, waiting: integer,
---  per_address: integer} file: of parley.store.beside, nil: everything is for
---  parley.channels.telegram.webhook; waiting: updates of a bot that are acknowledged and not in
---  the inbox; per_address: connections of one address that the thread accepts, 0: any number
function M.new(deps)
  return setmetatable({
    telegram = deps.telegram, file = deps.file, log = deps.log, most = deps.waiting,
    per_address = deps.per_address,
    servers = {}, sources = {}, allowed = {},
  }, M)
end

-- An update as the counters have it, whoever has answered it.
local function count(row)
  if not row.took then return end -- a process before has counted it
  meters.telegram_webhooks:with(row.source, "ok"):inc()
  meters.telegram_ack:observe(row.took)
  meters.http(PATTERN, "POST", 200, row.took)
end

-- Until they are in the inbox, or their bot is gone.
local function store(self, name, rows)
  local updates, pause = {}, RETRY_S
  for i, row in ipairs(rows) do updates[i] = row.value end
  while not self.closed do
    local bot = self.telegram.fleet:get(name)
    if not bot then
      self.log("warn", "updates of a bot that was removed are left out", {
        bot = name, updates = #rows,
      })
      return true
    end
    local good, taken, err = pcall(self.telegram.take, self.telegram, bot, updates, nil, true)
    if good and taken then return true end
    if good and err.code == "busy" then
      self.telegram.turn.queue:wait("tg:" .. name, #updates, pause)
      task.sleep(BUSY_S) -- whoever takes them may have another reason
    else
      self.log("error", "updates that were acknowledged wait: they could not be stored", {
        bot = name, error = good and err.message or tostring(taken),
      })
      task.sleep(pause)
    end
    pause = math.min(2 * pause, RETRY_MAX_S)
  end
end

-- The next rows of a source, as many as there is room for.
local function some(self, s)
  local n = room.wait(self.telegram.turn.queue, "tg:" .. s.name, function()
    return not self.closed
  end)
  local rows = {}
  while #rows < n and s.rows:peek() do rows[#rows + 1] = s.rows:shift() end
  return rows
end

local function feed(self, s)
  while s.rows:peek() and not self.closed do
    local rows = some(self, s)
    if not store(self, s.name, rows) or self.closed then break end
    self.intake:done(rows)
    if s.less then s.less:broadcast() end
  end
  self.sources[s.name] = nil
end

-- What cannot be read would not be better the next time.
local function refuse(self, row)
  if row.stored then
    self.log("warn", "an update cannot be read, and is left out", {
      bot = row.source, error = row.err.message,
    })
    meters.telegram_updates:with(row.source, "refused"):inc()
    self.intake:done { row }
  else
    meters.telegram_webhooks:with(row.source, "unavailable"):inc()
    self.log("error", "updates could not be stored; Telegram keeps them", {
      bot = row.source, code = row.err.code, error = row.err.message,
    })
  end
end

local function spread(self, rows)
  for _, row in ipairs(rows) do
    if row.stored then count(row) end
    if row.err then
      refuse(self, row)
    else
      local s = self.sources[row.source]
      if not s then
        s = { name = row.source, rows = fifo.new() }
        self.sources[row.source] = s
      end
      s.rows:push(row)
    end
  end
  for _, s in pairs(self.sources) do
    if not s.feeding then
      s.feeding = true
      task.start(feed, self, s)
    end
  end
end

local function run(self)
  while not self.closed do
    local rows = self.intake:take(AT_ONCE)
    if not rows then break end
    spread(self, rows)
  end
end

local function open(self)
  local o = {
    path = self.file.path, scratch = self.file.scratch, prefix = ROUTE, header = SECRET,
    field = "update_id", waiting_max = self.most,
    connections = CONNECTIONS, per_address = self.per_address,
  }
  local intake, err = host_intake.open(o)
  if not intake then return nil, err end
  self.intake = intake
  for _, server in ipairs(self.servers) do intake:serve(server) end
  for name, secret in pairs(self.allowed) do intake:allow(name, secret) end
  task.spawn(run, self)
  return true
end

-- Without it all goes another way: it may come later, when who has the file is gone.
local function open_some_time(self)
  local pause, told = RETRY_S, false
  while not self.closed do
    local ok, err = open(self)
    if ok then break end
    if not told and err.code ~= "busy" then
      self.log("error", "the file of the webhooks cannot be opened: they are answered without it", {
        path = self.file.path, code = err.code, error = err.message,
      })
      told = true
    end
    task.sleep(pause)
    pause = math.min(2 * pause, RETRY_MAX_S)
  end
end

local function want(self)
  if self.opening or not self.file then return end
  self.opening = true
  if not open(self) then task.spawn(open_some_time, self) end
end

---The bots are known: takes up what was left, of those that have no webhook any more, too.
function M:begin()
  if self.file and fs.stat(self.file.path) then want(self) end
end

---Follows a bot that is new, or has changed.
---@param bot table
function M:follow(bot)
  local name = bot.name
  local may = not bot.gone and bot.state == "active" and bot.transport == "webhook"
  if may then want(self) end
  self.allowed[name] = may and bot.secret or nil
  if not self.intake then return end
  if may then self.intake:allow(name, bot.secret) else self.intake:deny(name) end
end

---A server sends what fits from now on.
---@param server table of host.http_server
function M:serve(server)
  self.servers[#self.servers + 1] = server
  if self.intake then self.intake:serve(server) end
end

---Waits until nothing of a bot is acknowledged and not in the inbox.
---@param name string
---@param seconds number
---@return boolean
function M:wait(name, seconds)
  local deadline = time.mono() + seconds
  while self.intake and self.intake:waiting(name) > 0 do
    local left = deadline - time.mono()
    local s = self.sources[name]
    if left <= 0 then return false end
    if s then
      s.less = s.less or task.cond()
      s.less:wait(left)
    else
      task.sleep(0.001) -- it is on its way from the thread
    end
  end
  return true
end

---Updates that are acknowledged and not in the inbox.
---@return integer
function M:waiting() return self.intake and self.intake:stats().waiting or 0 end

---What the thread has counted of its connections.
---@return table|nil
function M:http_stats() return self.intake and self.intake:stats().http end

---Takes nothing new; what was taken goes to the inbox.
function M:drain()
  if self.intake then self.intake:drain() end
end

---What is not in the inbox is left for who comes next.
function M:close()
  self.closed = true
  if self.intake then self.intake:close() end
  self.intake = nil
end

return M
