-- A turn: one message in, its effects and its answer out.
--
-- A quick turn is one transaction. The message is made durable on its own, before, only when a
-- plugin is about to do something that the outside can see: a crash before that point loses nothing
-- that was acknowledged, and after it the turn is taken up again from the inbox.

local apply = require "parley.turn.apply"
local commit = require "parley.turn.commit"
local crypto = require "host.crypto"
local finish = require "parley.turn.finish"
local invoke = require "parley.turn.invoke"
local jobs = require "parley.turn.jobs"
local json = require "host.json"
local limits = require "parley.limits"
local load = require "parley.turn.load"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

---@param deps {db: table, lanes: table, manager: table, limits: table, shared: table,
---   log: function, on_jobs: function|nil}
function M.new(deps)
  return setmetatable(deps, M)
end

-- What an earlier delivery of the same message means for this one.
local function compare(turn, earlier)
  if earlier.body_hash ~= turn.body_hash then
    return nil, {
      code = "idempotency_mismatch", status = 409,
      message = (turn.message_id and "message_id '" .. turn.message_id .. "'"
        or "the Idempotency-Key") .. " was used for another message",
    }
  end
  if earlier.state == "done" then
    turn.response_text, turn.replayed = earlier.response, true
  elseif earlier.state == "failed" then
    return nil, {
      code = "message_failed", status = 409,
      message = "the turn of this message failed for good; it is in dead_letters",
    }
  else
    -- Cut off by a crash: this retry finishes it, under the same ids.
    turn.admitted, turn.maybe_open, turn.received_at = true, true, earlier.received_at
  end
  return true
end

-- Counts the message for its user, whatever name the bot has called them by. A repetition counts,
-- and still gets the first answer; one that was taken in before the host went down is finished.
local function count(self, turn, user)
  local verdict, err = self.limits:take("user", user.id)
  if err then return nil, err end
  turn.verdicts[#turn.verdicts + 1] = verdict
  if not verdict or verdict.allowed or turn.replayed or turn.admitted then return true end
  return nil, limits.refusal(verdict)
end

local function prepare(self, turn, config)
  local locale = turn.message and turn.message.locale
  local loaded, err = load.turn(self.db, turn, locale or config.locale)
  if not loaded then return nil, err end
  local ok = true
  if loaded.earlier and not turn.admitted then ok, err = compare(turn, loaded.earlier) end
  if ok and turn.verdicts then ok, err = count(self, turn, loaded.user) end
  if not ok or turn.replayed then return ok, err end
  turn.dialog, turn.user = loaded.dialog, loaded.user
  turn.user.locale = locale or turn.user.locale or config.locale
  return true
end

local function run(self, turn, generation)
  local ok, err = prepare(self, turn, generation.config)
  if not ok then return nil, err end
  if turn.replayed then return turn end

  local parts
  parts, err = invoke.answer(self, turn, generation)
  if not parts then return nil, err end
  apply.actions(turn, parts)
  turn.finished_at = time.now_ms()
  if turn.job then turn.job_after = jobs.after(turn) end
  turn.reply_id = (turn.message or #turn.actions > 0) and crypto.uuid7() or nil
  turn.reply_text = json.encode {
    actions = turn.actions, in_reply_to = turn.message and turn.inbound_id,
    plugin = turn.plugin and turn.plugin.name, status = turn.status,
  }
  turn.response_text = turn.message and json.encode(apply.response(turn))
    or turn.continued and json.encode(apply.late_response(turn))
  ok, err = self.db:commit(commit.statements(turn, self.shared))
  if not ok then return nil, err end
  self.shared:stored(turn.dialog, (turn.dialog.version or 0) + 1)
  if #turn.jobs > 0 and self.on_jobs then self.on_jobs() end
  return turn
end

-- On the generation that serves when its time has come.
local function run_now(self, turn)
  turn.entered = time.mono()
  local generation = self.manager:hold()
  local good, result, failure = pcall(run, self, turn, generation)
  self.manager:release(generation)
  if good then return result, failure end
  if getmetatable(result) == invoke.Ended then return nil, result.err end
  error(result, 0)
end

local function new(dialog_id, trace_id)
  return {
    dialog_id = dialog_id, trace_id = trace_id, received_at = time.now_ms(), since = time.mono(),
    calls = {}, events = {}, jobs = {}, writes = {}, continuations = {},
  }
end

-- The turn of a message that is durable and not finished.
---@param row table of inbox, state 'open'
local function of_row(row)
  local turn = new(row.dialog_id, row.trace_id)
  turn.message = json.decode(row.payload)
  turn.message_id, turn.inbound_id = turn.message.message_id, crypto.uuid7()
  turn.keyed = turn.message_id ~= nil or row.source:find "^key:" ~= nil
  turn.source, turn.key, turn.body_hash = row.source, row.key, row.body_hash
  turn.inbound_text, turn.received_at = row.payload, row.received_at
  turn.admitted, turn.maybe_open = true, true
  return turn
end

-- Runs a turn in the lane of its dialog.
local function in_lane(self, turn)
  local seconds = self.manager.current.config.turn_timeout_seconds
  local ok, err = self.lanes:enter(turn.dialog_id, seconds)
  if not ok then
    local code = err.code == "busy" and "dialog_busy" or err.code
    meters.turn_error(code)
    return nil, { code = code, message = err.message, retry_after = 1 }
  end
  local good, result, failure = pcall(run_now, self, turn)
  if good and failure and turn.maybe_open then
    task.spawn(finish.run, self, turn, function(row) return run_now(self, of_row(row)) end)
  else
    self.lanes:leave(turn.dialog_id)
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
---@param opts {trace_id: string, body: string, token_id: string?, idempotency_key: string?,
---   once: (fun(status: integer, text: string): table)?, of parley.http.idempotency
---   verdicts: parley.limits.Verdict[]?, what limits have said so far; the user's is added,
---   refused: table?} the err for a message that has no earlier answer
---@return table|nil turn {response_text, status, replayed}
---@return table|nil err {code, message, status?}
function M:receive(dialog_id, message, opts)
  local turn = new(dialog_id, opts.trace_id)
  turn.message, turn.message_id = message, message.message_id
  turn.inbound_id = crypto.uuid7()
  turn.verdicts, turn.refused = opts.verdicts, opts.refused
  turn.source, turn.key = "dialog:" .. dialog_id, message.message_id or turn.inbound_id
  turn.keyed = message.message_id ~= nil
  if opts.idempotency_key and not turn.keyed then
    turn.source, turn.key = ("key:%s:%s"):format(opts.token_id, dialog_id), opts.idempotency_key
    turn.keyed = true
  else
    turn.once = opts.once
  end
  turn.body_hash = crypto.hex(crypto.sha256(opts.body)):sub(1, 32)
  turn.inbound_text = json.encode(message)
  return in_lane(self, turn)
end

---Takes up a message again whose turn a crash has cut off.
---@param row table of inbox, state 'open'
function M:resume(row) return in_lane(self, of_row(row)) end

---Takes the actions that a plugin brings after it has answered 202.
---@param row table of continuations
---@param response table|nil InvokeResponseV1, not yet checked; nil: its time has passed
---@param once (fun(status: integer, text: string): table)|nil of parley.http.idempotency
---@return table|nil turn {response_text}
---@return table|nil err {code, message}
function M:continue(row, response, once)
  local turn = new(row.dialog_id, row.trace_id)
  turn.continued, turn.late, turn.once = row, response, once
  return in_lane(self, turn)
end

---Runs a scheduled job in the lane of its dialog.
---@param job table row of jobs, `data` decoded
function M:fire(job)
  local turn = new(job.dialog_id, job.trace_id)
  turn.job = job
  return in_lane(self, turn)
end

return M
