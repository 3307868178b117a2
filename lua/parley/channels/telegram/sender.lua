-- Sends what a bot has to say: in order within a chat, chats side by side. A chat that Telegram has
-- asked to wait waits alone.

local api_of = require "parley.channels.telegram.api"
local address = require "parley.channels.telegram.address"
local audit = require "parley.store.audit"
local meters = require "parley.ops.meters"
local outbox = require "parley.channels.outbox"
local reference = require "parley.channels.telegram.reference"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local ATTEMPTS = 3
local PAUSE_S, PAUSE_MAX_S = 0.5, 10
local PARALLEL = 30 -- calls at a time, as many as a bot may make in a second
local PAGE = 1000

-- Lanes in the order in which chats get their turn when there are more than PARALLEL.
local RANKS = { answer = 1, reply = 2, operator = 3, p2p = 4, broadcast = 5 }

---@param deps {bot: string, sender: string, api: table, db: table, log: function}
function M.new(deps)
  return setmetatable({
    bot = deps.bot, sender = deps.sender, api = deps.api, db = deps.db, log = deps.log,
    queues = {}, waiting = 0, at_work = 0, ranks = { {}, {}, {}, {}, {} }, moved = {},
  }, M)
end

-- Answers to presses are in no order with anything.
local function queue_key(delivery)
  if delivery.lane == "answer" then return delivery.id end
  local place = address.place(delivery.dialog_id)
  return place and tostring(place.chat_id) or delivery.dialog_id
end

local function rank_of(delivery) return RANKS[delivery.lane] or RANKS.reply end

-- A queue that may go on gets in line; lines are served in the order of their lanes.
local function line_up(self, queue)
  local line = self.ranks[rank_of(queue[queue.first])]
  line[#line + 1] = queue
end

local work

local function serve(self)
  for _, line in ipairs(self.ranks) do
    while #line > 0 and self.at_work < PARALLEL do
      self.at_work = self.at_work + 1
      task.spawn(work, self, table.remove(line, 1))
    end
  end
end

local function pop(self, queue)
  queue[queue.first] = nil
  queue.first, self.waiting = queue.first + 1, self.waiting - 1
end

local function rest(self, queue, seconds)
  task.spawn(function()
    task.sleep(seconds)
    if self.closed then return end
    line_up(self, queue)
    serve(self)
  end)
end

local function note_chat(self, delivery, state, migrated_to)
  local place = address.place(delivery.dialog_id)
  return {
    "INSERT INTO chats (sender, chat_id, state, migrated_to, changed_at) "
      .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sender, chat_id) DO UPDATE SET "
      .. "state = excluded.state, migrated_to = excluded.migrated_to, "
      .. "changed_at = excluded.changed_at",
    self.sender, place.chat_id, state, migrated_to, time.now_ms(), n = 5,
  }
end

-- Stores how it went; while the database is away nothing more of this chat is sent.
local function store(self, statements)
  local pause = PAUSE_S
  while not self.closed do
    local ok, err = self.db:commit(statements)
    if ok then return true end
    self.log("error", "what was sent could not be noted", {
      sender = self.sender, error = err.message,
    })
    task.sleep(pause)
    pause = math.min(pause * 2, PAUSE_MAX_S)
  end
end

local function give_up(self, delivery, err, letter, more)
  meters.telegram_dead:with(self.bot, err.code):inc()
  local statements = outbox.dead(delivery, err, letter, time.now_ms())
  statements[#statements + 1] = more
  if letter then
    self.log("warn", "a message was not delivered", {
      sender = self.sender, dialog_id = delivery.dialog_id, trace_id = delivery.trace_id,
      code = err.code, error = err.message,
    })
  end
  return store(self, statements)
end

-- An edit that changes nothing, or comes after the message is gone, has nothing more to do.
local function is_done(err)
  local said = err.description or ""
  return said:find("message is not modified", 1, true) or said:find("to delete not found", 1, true)
    or said:find("query is too old", 1, true)
end

-- Puts another call in the place of one that cannot be made. Returns whether there is one.
local function replace(self, delivery, params)
  local method
  method, params = reference.instead(delivery.method, params)
  if not method then
    store(self, { outbox.sent(delivery, nil, time.now_ms()) })
    return false
  end
  delivery.method, delivery.params = method, params
  store(self, { outbox.replace(delivery) })
  return true
end

-- What is called, when it is about the message of an earlier delivery: nil without err when nothing
-- is left to be done.
local function resolve(self, delivery)
  local params, err = reference.resolve(self.db, delivery.params)
  if err then return nil, err end
  if params then return params end
  return replace(self, delivery, delivery.params) and delivery.params or nil
end

-- How the failure of an attempt is met: the seconds until the next, or nil when it is over.
local function after_failure(self, delivery, err, params)
  if err.code == "rate_limited" then
    meters.telegram_waits:with(self.bot):inc(err.retry_after)
    delivery.attempts = delivery.attempts - 1 -- it was not taken, and is no failure
    return err.retry_after
  end
  if err.migrate_to then
    self.moved[tostring(delivery.params.chat_id)] = err.migrate_to
    store(self, { note_chat(self, delivery, "migrated", err.migrate_to) })
    return 0
  end
  if err.code == "forbidden" then
    give_up(self, delivery, err, false, note_chat(self, delivery, "blocked"))
    return nil
  end
  if err.code == "unauthorized" then
    delivery.attempts = delivery.attempts - 1
    self.log("error", "Telegram does not know the token of a bot: nothing is sent until it does", {
      sender = self.sender, error = err.message,
    })
    return 60
  end
  if err.code == "bad_request" and is_done(err) then
    store(self, { outbox.sent(delivery, params.message_id, time.now_ms()) })
    return nil
  end
  if err.code == "bad_request" and reference.is_in(delivery.params) then
    delivery.attempts = delivery.attempts - 1
    return replace(self, delivery, params) and 0 or nil
  end
  delivery.uncertain = delivery.uncertain or err.unknown == true
  if not err.retryable or delivery.attempts >= ATTEMPTS then
    give_up(self, delivery, err, true)
    return nil
  end
  return math.min(PAUSE_S * 4 ^ (delivery.attempts - 1), PAUSE_MAX_S)
end

local function reference_of(result)
  return type(result) == "table" and result.message_id or nil
end

-- One attempt at a delivery. Returns the seconds until the next; nil: it is over.
local function attempt(self, delivery)
  local ok, err, params = true, nil, delivery.params
  if reference.is_in(params) then
    params, err = resolve(self, delivery)
    if not params then return err and PAUSE_S or nil end
  end
  if not delivery.begun then ok, err = outbox.begin(self.db, delivery) end
  delivery.begun = false
  if not ok then
    self.log("error", "nothing is sent while it cannot be noted", {
      sender = self.sender, error = err.message,
    })
    delivery.attempts = delivery.attempts - 1
    return PAUSE_S
  end
  params.chat_id = self.moved[tostring(params.chat_id)] or params.chat_id
  local since = time.mono()
  local result
  result, err = self.api:call(delivery.method, params)
  meters.telegram_send(self.bot, delivery.method, err and err.code, time.mono() - since)
  if err then return after_failure(self, delivery, err, params) end
  local statements = { outbox.sent(delivery, reference_of(result), time.now_ms()) }
  if delivery.uncertain and not api_of.repeatable(delivery.method) then
    statements[2] = audit.insert {
      source = "telegram", action = "delivery_repeated", severity = "warning",
      trace_id = delivery.trace_id,
      details = { sender = self.sender, dialog_id = delivery.dialog_id, method = delivery.method },
    }
  end
  store(self, statements)
end

function work(self, queue)
  local good, wait = pcall(attempt, self, queue[queue.first])
  self.at_work = self.at_work - 1
  if self.closed then return end
  if not good then
    self.log("error", "a delivery has failed in the host", { error = tostring(wait) })
    wait = PAUSE_MAX_S
  end
  if wait == nil then pop(self, queue) end
  if queue.first > queue.last then
    self.queues[queue.key] = nil
  elseif (wait or 0) > 0 then
    rest(self, queue, wait)
  else
    line_up(self, queue)
  end
  serve(self)
end

---Whether what is pushed for this dialog now is begun at once.
---@param dialog_id string
---@return boolean
function M:is_idle(dialog_id)
  return self.at_work < PARALLEL and not self.queues[queue_key { dialog_id = dialog_id }]
end

---Takes deliveries that are stored, in their order.
---@param deliveries parley.Delivery[]
function M:push(deliveries)
  for _, d in ipairs(deliveries) do
    local key = queue_key(d)
    local queue = self.queues[key]
    if not queue then
      queue = { key = key, first = 1, last = 0 }
      self.queues[key] = queue
    end
    queue.last = queue.last + 1
    queue[queue.last], self.waiting = d, self.waiting + 1
    if queue.last == queue.first then line_up(self, queue) end
  end
  serve(self)
end

---Takes up what was left: by a crash, or by the worker that has sent for this bot before.
---@return integer|nil deliveries
---@return table|nil err
function M:take_up()
  local after, n = "", 0
  while true do
    local rows, err = outbox.open(self.db, self.sender, after, PAGE)
    if not rows then return nil, err end
    self:push(rows)
    n = n + #rows
    if #rows < PAGE then return n end
    after = rows[#rows].id
  end
end

---Nothing new is begun.
function M:close() self.closed = true end

return M
