-- One attempt at a turn: load what is stored, ask the plugins, store everything in one transaction.
--
-- Nothing is kept of an attempt that fails. When it failed because another worker was faster with
-- the same message or in the same dialog, it is worth another one, on what that worker has stored.

local apply = require "parley.turn.apply"
local commit = require "parley.turn.commit"
local ids = require "parley.turn.ids"
local invoke = require "parley.turn.invoke"
local jobs = require "parley.turn.jobs"
local json = require "host.json"
local keyboards = require "parley.turn.keyboards"
local limits = require "parley.limits"
local load = require "parley.turn.load"
local menus = require "parley.turn.menus"
local meters = require "parley.ops.meters"
local new_table = require "table.new"
local say = require "parley.turn.say"
local session = require "parley.turn.session"
local time = require "host.time"

local M = {}

local REPLY = json.shape({ "actions", "in_reply_to", "plugin", "status" }, { "actions" })

local FIELDS = 48 -- of a turn in the end: a table that grows is built anew at each power of two

-- What a turn is about, and what is done once however often it is attempted. All else of a turn is
-- of one attempt.
local GIVEN = {
  "dialog_id", "trace_id", "received_at", "since", "entered", "message", "message_id", "job",
  "continued", "late", "said", "source", "key", "keyed", "once", "body_hash", "inbound_text",
  "verdicts", "refused", "counted", "users_verdict", "again", "maybe_open",
  "ordered", "urgent",
}

local BUSY = {
  code = "dialog_busy", retryable = true, retry_after = 1,
  message = "another worker takes a turn of this dialog",
}

---What err a turn gets that found what was left in the dialog by this worker, or by another one of
---which it may be: it has to be finished first.
M.LEFT = {
  code = "dialog_busy", retryable = true, retry_after = 1,
  message = "an earlier turn of this dialog is not finished",
}

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

-- Counts the message for its user, whatever name the bot has called them by, once. A repetition
-- counts, and still gets the first answer; one that was taken in before the host went down is
-- finished.
local function count(self, turn, user)
  if not turn.counted then
    local verdict, err = self.limits:take("user", user.id)
    if err then return nil, err end
    turn.counted, turn.users_verdict = true, verdict
    turn.given.counted, turn.given.users_verdict = true, verdict
    turn.verdicts[#turn.verdicts + 1] = verdict
  end
  local verdict = turn.users_verdict
  if not verdict or verdict.allowed or turn.replayed or turn.admitted then return true end
  return nil, limits.refusal(verdict)
end

-- Somebody else may be in the middle of a turn that the outside sees. A hold has no end of its own:
-- while its worker cannot reach the database it is still needed, and another one takes over what a
-- worker leaves that is gone.
local function is_held(self, dialog)
  return dialog.lease_owner and dialog.lease_owner ~= self.owner
end

-- Messages of a dialog sort by their ids as they were stored, also when the clock of this host is
-- behind that of another one, or was set back. Their times are those of their ids.
local function place(turn)
  local last = turn.dialog.last_message_at
  local made_up
  turn.inbound_id, turn.inbound_at, made_up = ids.message(last and last + 1 or 0)
  turn.reply_from = made_up and turn.inbound_at + 1 or turn.inbound_at
end

local function finish(turn)
  turn.finished_at = time.now_ms()
  local id, at = ids.message(turn.reply_from)
  turn.reply_id = (turn.message or #turn.actions > 0) and id or nil
  turn.last_at = at
end

-- Not guessed is what a refusal hangs on, what would make somebody pay for a model twice, and what
-- other workers may have left in the dialog. What was made durable here, and is begun for the first
-- time, needs no look either: that somebody else was faster is found by the commit.
local function may_guess(turn, generation)
  return turn.message and (not turn.again or turn.fresh and not turn.ordered)
    and not turn.refused and not generation.llm.provider
end

local function load_turn(self, turn, generation, locale)
  local copy = may_guess(turn, generation) and self.recall:find(turn)
  if copy then
    turn.guessed, turn.admitted = true, turn.fresh
    return copy
  end
  local loaded, err = load.turn(self.db, turn, locale)
  if loaded then self.recall:compare(turn, loaded) end
  return loaded, err
end

local function prepare(self, turn, generation)
  local locale = turn.message and turn.message.locale
  local usual = turn.terms and turn.terms.locale or generation.config.locale
  local loaded, err = load_turn(self, turn, generation, locale or usual)
  if not loaded then return nil, err end
  local ok = true
  if is_held(self, loaded.dialog) and not (loaded.earlier and loaded.earlier.state == "done") then
    return nil, BUSY, true
  end
  if loaded.earlier then ok, err = compare(turn, loaded.earlier) end
  turn.leased = loaded.dialog.lease_owner == self.owner
  if ok and turn.leased and not turn.admitted and not turn.replayed then
    return nil, M.LEFT, true
  end
  if ok and loaded.is_not_next and not turn.replayed then return nil, M.LEFT, true end
  if ok and turn.verdicts then ok, err = count(self, turn, loaded.user) end
  if not ok or turn.replayed then return ok, err end
  turn.dialog, turn.user = loaded.dialog, loaded.user
  turn.users_locale = turn.user.locale
  turn.user.locale = turn.user.chosen_locale or locale or turn.users_locale or usual
  turn.session_ttl = generation.config.session_ttl_seconds
  turn.conversation_seconds = generation.config.conversation_seconds
  session.expire(turn.dialog.state)
  menus.begin(turn)
  ok, err = menus.look_below(self.db, turn)
  if not ok then return nil, err end
  keyboards.begin(turn)
  place(turn)
  return true
end

local function was_overtaken(turn, err)
  if err.code ~= "conflict" and err.code ~= "unique" then return false end
  local statement = turn.statements and turn.statements[err.statement]
  return turn.lost == err or (statement ~= nil and statement.contended == true)
end

local function write(self, turn)
  finish(turn)
  if turn.job then turn.job_after = jobs.after(turn) end
  local actions = assert(json.encode(turn.actions)) -- each was checked
  turn.reply_text = REPLY(actions, turn.message and turn.inbound_id,
    turn.plugin and turn.plugin.name, turn.status)
  turn.response_text = turn.message and apply.response(turn, actions)
    or turn.continued and json.encode(apply.late_response(turn))
    or turn.said and json.encode(say.response(turn))
  local channel = self.channels and self.channels[turn.dialog.channel]
  turn.statements = commit.statements(turn, self.shared, channel and channel:deliver(turn))
  return self.db:commit(turn.statements)
end

-- Asks the plugins and stores what comes of it.
local function answer(self, turn, generation)
  local good, parts, err = pcall(turn.said and say.parts or invoke.answer, self, turn, generation)
  if not good then
    if getmetatable(parts) ~= invoke.Ended then error(parts, 0) end
    return nil, parts.err
  end
  if not parts then return nil, err end
  apply.actions(turn, parts)
  return write(self, turn)
end

-- The dialog as it is in its row now.
local function note_stored(turn)
  local d = turn.dialog
  d.version, d.last_message_at, d.user_id = d.version + 1, turn.last_at, d.user_id or turn.user.id
  d.is_new, d.lease_owner = nil, nil
  if turn.choice then turn.user.chosen_locale = turn.choice.locale end
  if turn.menu_result then meters.menus:with(turn.menu_result):inc() end
end

-- The first attempt has the table itself, which most turns need no copy of.
local function begin(self, given, again)
  local turn = given
  if again then
    turn = new_table(0, FIELDS)
    for _, name in ipairs(GIVEN) do turn[name] = given[name] end
    turn.again = true
  end
  turn.given, turn.owner = given, self.owner
  turn.terms = self.terms and self.terms(given.dialog_id) -- as they are now
  turn.calls, turn.events, turn.jobs, turn.writes, turn.continuations = {}, {}, {}, {}, {}
  return turn
end

local function once(self, given, generation, again)
  local turn = begin(self, given, again)
  local ok, err, overtaken = prepare(self, turn, generation)
  if ok and turn.replayed then return turn end
  if ok then
    ok, err = answer(self, turn, generation)
    overtaken = not ok and was_overtaken(turn, err)
  end
  if not ok then
    if turn.deliveries then self.channels[turn.dialog.channel]:not_stored(turn) end
    given.maybe_open = given.maybe_open or turn.maybe_open
    return nil, err, overtaken, turn.guessed
  end
  note_stored(turn)
  self.recall:keep(turn)
  self.shared:stored(turn.dialog, turn.dialog.version)
  if turn.deliveries then self.channels[turn.dialog.channel]:stored(turn) end
  if #turn.jobs > 0 and self.on_jobs then self.on_jobs() end
  return turn, nil, nil, turn.guessed
end

---A turn, to which is added what it is about.
---@param dialog_id string
---@param trace_id string
---@return table turn
function M.new(dialog_id, trace_id)
  local turn = new_table(0, FIELDS)
  turn.dialog_id, turn.trace_id = dialog_id, trace_id
  turn.received_at, turn.since = time.now_ms(), time.mono()
  return turn
end

---@param self table parley.turn
---@param given table of M.new, what the turn is about; `maybe_open` afterwards: the message may be
---  durable, and not finished
---@param generation parley.Generation
---@param again boolean whether this is not the first attempt
---@return table|nil turn
---@return table|nil err
---@return boolean|nil overtaken another attempt may go better
function M.run(self, given, generation, again)
  local turn, err, overtaken, guessed = once(self, given, generation, again)
  if not guessed then return turn, err, overtaken end
  if turn or overtaken then self.recall:guessed(given.dialog_id, turn ~= nil) end
  -- Whoever is refused may have been answered before, too.
  if turn or not (overtaken or err.code == "rate_limited") then return turn, err end
  return once(self, given, generation, true)
end

return M
