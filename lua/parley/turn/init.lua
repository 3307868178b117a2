-- A turn: one message in, its effects and its answer out.
--
-- A quick turn is one transaction. The message is made durable on its own, before, only when a
-- plugin is about to do something that the outside can see: a crash before that point loses nothing
-- that was acknowledged, and after it the turn is taken up again from the inbox.

local attempt = require "parley.turn.attempt"
local crypto = require "host.crypto"
local finish = require "parley.turn.finish"
local join = require "parley.turn.join"
local json = require "host.json"
local meters = require "parley.ops.meters"
local queue = require "parley.turn.queue"
local recover = require "parley.turn.recover"
local say = require "parley.turn.say"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local ACCEPT = "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, "
  .. "received_at, owner, part_of) VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9) "
  .. "ON CONFLICT (source, key) DO NOTHING"

-- A lane full of turns, each of which takes all of its time, is empty by then.
local PATIENCE_S = 3600

local PAUSE_MIN_S, PAUSE_MAX_S = 0.005, 0.2 -- between attempts, doubled each time

---@param deps {db: table, owner: string, lanes: table, manager: table, limits: table,
---   recall: table, shared: table, log: function, on_jobs: function|nil, accepted: integer,
---   accepted_of_one: integer} owner: the worker's name; accepted: messages of M:accept that are
---   not finished, of this worker and of one source
function M.new(deps)
  local self = setmetatable(deps, M)
  self.queue = queue.new {
    run = function(row) return self:resume(row) end, log = deps.log,
    of_one = deps.accepted_of_one, of_all = deps.accepted,
    yields = deps.db:dialect() == "sqlite",
  }
  return self
end

-- Sources whose keys count: what was taken by one worker must not overtake what another one has
-- taken before, which may be gone. In a file there is one worker, and its queue keeps the order.
local function is_ordered(self, row)
  return row.source:find "^tg:" ~= nil and self.db:dialect() ~= "sqlite"
end

-- The turn of a message, or of a job, that is durable and not finished. One that was accepted here
-- has its message at hand, for its first attempt.
---@param row table of inbox, state 'open'
local function of_row(self, row)
  local turn = attempt.new(row.dialog_id, row.trace_id)
  local payload = row.message or json.decode(row.payload)
  turn.fresh, row.message = row.message ~= nil, nil
  if row.source:find "^job:" then
    turn.job, turn.said = payload, say.of_job(payload)
  else
    turn.message, turn.message_id = payload, payload.message_id
    turn.keyed = turn.message_id ~= nil or row.source:find "^key:" ~= nil
  end
  turn.source, turn.key, turn.body_hash = row.source, row.key, row.body_hash
  turn.inbound_text, turn.received_at = row.payload, row.received_at
  turn.again, turn.maybe_open, turn.ordered = true, true, is_ordered(self, row)
  turn.urgent = self.queue:goes_first(row.source)
  return turn
end

local run

-- Whether a key counts before another one: as parley.turn.load asks for what is before a message.
local function counts_before(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function finish_row(self, given, row, seconds)
  if row.part_of then row = join.run(self, row) end
  if not row then return true end -- it was joined before
  local turn, err = run(self, of_row(self, row), seconds)
  if not turn and not err.retryable and not err.retry_after then given.ordered = false end
  return turn ~= nil
end

-- What this worker has left in the dialog, in the lane of whoever has come upon it: nothing goes
-- before it. What is refused is looked at later (parley.turn.recover), and keeps nobody.
local function finish_left(self, given, seconds)
  local rows = recover.left(self, given.dialog_id)
  local reached = false
  for _, row in ipairs(rows or {}) do
    reached = reached or row.source == given.source and row.key == given.key
    local before = not reached
    -- Where keys count they say what is before, also of what was taken after this one.
    if given.ordered and row.source == given.source then
      before = counts_before(row.key, given.key)
    end
    if before and not finish_row(self, given, row, seconds) then return end
  end
  if rows and not reached then recover.free(self, given.dialog_id) end
end

-- Attempts until one goes through, as long as they fail because another worker was faster.
function run(self, given, seconds)
  local pause, until_s, again = PAUSE_MIN_S, time.live() + seconds, false
  while true do
    local generation = self.manager:hold(given)
    local good, turn, err, overtaken = pcall(attempt.run, self, given,
      generation:for_dialog(given.dialog_id), again)
    self.manager:release(generation, given)
    if not good then error(turn, 0) end
    if turn or not overtaken then return turn, err end
    if time.live() + pause > until_s then
      return nil, { code = "dialog_busy", message = err.message, retry_after = 1 }
    end
    if err == attempt.LEFT then
      finish_left(self, given, seconds)
    else
      meters.turn_overtaken:inc()
    end
    task.sleep(pause * (0.5 + math.random()))
    pause, again = math.min(pause * 2, PAUSE_MAX_S), true
  end
end

-- In the lane: what is only a part becomes the whole.
local function whole(self, row)
  local good, joined, err = pcall(join.run, self, row)
  if good and joined then return of_row(self, joined) end
  self.lanes:leave(row.dialog_id)
  if not good then error(joined, 0) end
  return nil, err
end

-- Runs a turn in the lane of its dialog. What is durable waits for as long as those before it take.
-- `part`: its row, when it is to be joined with others first.
local function in_lane(self, given, durable, part)
  local seconds = self.manager.current.config.turn_timeout_seconds
  local ok, err = self.lanes:enter(given.dialog_id, durable and PATIENCE_S or seconds, durable)
  if not ok then
    local code = err.code == "busy" and "dialog_busy" or err.code
    meters.turn_error(code)
    return nil, { code = code, message = err.message, retry_after = 1 }
  end
  if part then
    given, err = whole(self, part)
    if not given then return not err and { status = "joined" } or nil, err end
  end
  given.entered = time.mono()
  local channel = given.message and self.channels and self.channels[given.message.channel]
  if channel then channel:begun(given) end
  local good, result, failure = pcall(run, self, given, seconds)
  if channel then channel:ended(given) end
  if good and failure and given.maybe_open then
    task.spawn(finish.run, self, given, function(row)
      return run(self, of_row(self, row), seconds)
    end)
  else
    self.lanes:leave(given.dialog_id)
  end
  if not good then error(result, 0) end
  if result then
    meters.turn(result, time.mono())
  else
    meters.turn_error(failure.code)
  end
  return result, failure
end

---Takes one message through its turn, after those of its dialog that came before.
---@param dialog_id string
---@param message table DialogMessageCreateV1, validated
---@param opts {trace_id: string, body: string, text: string?, token_id: string?,
---   idempotency_key: string?,
---   body: what is the same when the message comes again; text: the message as JSON, as it came
---   once: (fun(status: integer, text: string): table)?, of parley.http.idempotency
---   verdicts: parley.limits.Verdict[]?, what limits have said so far; the user's is added,
---   refused: table?} the err for a message that has no earlier answer
---@return table|nil turn {response_text, status, replayed}
---@return table|nil err {code, message, status?}
function M:receive(dialog_id, message, opts)
  local turn = attempt.new(dialog_id, opts.trace_id)
  turn.message, turn.message_id = message, message.message_id
  turn.verdicts, turn.refused = opts.verdicts, opts.refused
  turn.source, turn.key = "dialog:" .. dialog_id, message.message_id or crypto.uuid7()
  turn.keyed = message.message_id ~= nil
  if opts.idempotency_key and not turn.keyed then
    turn.source, turn.key = ("key:%s:%s"):format(opts.token_id, dialog_id), opts.idempotency_key
    turn.keyed = true
  else
    turn.once = opts.once
  end
  turn.body_hash = crypto.hex(crypto.sha256(opts.body)):sub(1, 32)
  turn.inbound_text = opts.text or json.encode(message)
  return in_lane(self, turn)
end

---Makes messages durable before their turns: who has brought them may forget them.
---@param rows {source: string, key: string, dialog_id: string, message: table, trace_id: string,
---  received_at: integer, payload: string|nil, part_of: string|nil}[] key: what makes the message
---  the same one again; payload: the message as JSON, where it was written before; part_of: what it
---  has in common with those that it is to be joined with
---@param urgent boolean|nil whether somebody waits for it: it goes before the turns that are stored
---@return table[]|nil fresh rows of inbox for M:resume, in the order given; those that were here
---  before are left out
---@return table|nil err
function M:accept(rows, urgent)
  local statements, fresh = { urgent = urgent }, {}
  for i, row in ipairs(rows) do
    row.payload = row.payload or json.encode(row.message)
    row.body_hash = crypto.hex(crypto.sha256(row.payload)):sub(1, 32)
    statements[i] = {
      ACCEPT, row.source, row.key, row.dialog_id, row.payload, row.body_hash, row.trace_id,
      row.received_at, self.owner, row.part_of, n = 9,
    }
  end
  local results, err = self.db:commit(statements)
  if not results then return nil, err end
  for i, row in ipairs(rows) do
    if results[i].changes == 1 then
      fresh[#fresh + 1] = row
      -- One that is a part is read with the others.
      if row.part_of then row.message = nil end
    end
  end
  return fresh
end

---Takes up a message, or a job, again whose turn a crash has cut off.
---@param row table of inbox, state 'open'
---@return table|nil turn {status = "joined"} when it was taken along by the turn of another one
---@return table|nil err
function M:resume(row) return in_lane(self, of_row(self, row), true, row.part_of and row) end

---Takes the actions that a plugin brings after it has answered 202.
---@param row table of continuations
---@param response table|nil InvokeResponseV1, not yet checked; nil: its time has passed
---@param once (fun(status: integer, text: string): table)|nil of parley.http.idempotency
---@return table|nil turn {response_text}
---@return table|nil err {code, message}
function M:continue(row, response, once)
  local turn = attempt.new(row.dialog_id, row.trace_id)
  turn.continued, turn.late, turn.once = row, response, once
  return in_lane(self, turn)
end

---Says something in a dialog that nobody there has asked for.
---@param dialog_id string
---@param said parley.Said
---@param opts {trace_id: string, once: (fun(status: integer, text: string): table)?}
---@return table|nil turn {response_text}
---@return table|nil err "not_found": there is no such dialog
function M:say(dialog_id, said, opts)
  local turn = attempt.new(dialog_id, opts.trace_id)
  turn.said, turn.once = said, opts.once
  return in_lane(self, turn)
end

---Runs a scheduled job in the lane of its dialog.
---@param job table row of jobs, `data` decoded
function M:fire(job)
  local turn = attempt.new(job.dialog_id, job.trace_id)
  turn.job, turn.said = job, say.of_job(job)
  turn.inbound_text, turn.body_hash = json.encode(job), ""
  turn.source, turn.key = "job:" .. job.id, tostring(job.attempts)
  return in_lane(self, turn)
end

return M
