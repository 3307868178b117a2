-- Everything a turn leaves behind, in one transaction: inbox, dialog, both messages, plugin
-- calls, audit rows, jobs, what plugins have written.

local audit_logs = require "parley.store.audit"
local crypto = require "host.crypto"
local insert = require "parley.store.insert"
local json = require "host.json"
local recurring = require "parley.turn.recurring"
local session = require "parley.turn.session"

local M = {}

-- A job that was given up is set aside for a person to look at, like a message.
local function dead_letter(turn)
  local job = turn.job
  return {
    "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
      .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
    crypto.uuid7(), ("job:%s#%s"):format(job.plugin, job.id),
    json.encode { job = job.job, data = job.data, dialog_id = turn.dialog.id },
    json.encode(turn.failed and { code = turn.failed.code, message = turn.failed.message }
      or { code = "declined", message = "the plugin has no handler for this job" }),
    job.attempts + 1, turn.trace_id, turn.finished_at,
  }
end

local function inbox(turn, out)
  if turn.job then
    -- Whoever fires it second changes no row, and the whole turn is undone.
    local after = turn.job_after
    out[#out + 1] = {
      "UPDATE jobs SET state = $2, attempts = attempts + 1, starts = 0, run_at = $3 "
        .. "WHERE id = $1 AND state = 'open' AND attempts = $4",
      turn.job.id, after.state, after.run_at, turn.job.attempts, expect = 1,
    }
    -- Nobody sends a job again: what made it durable is not kept for repetitions.
    if turn.admitted then
      out[#out + 1] = {
        "DELETE FROM inbox WHERE source = $1 AND key = $2 AND state = 'open'",
        turn.source, turn.key, expect = 1,
      }
    end
    if after.state == "failed" then out[#out + 1] = dead_letter(turn) end
    if after.next_at then
      local again = recurring.again(turn.job, after.state, crypto.uuid7(), after.next_at)
      for _, statement in ipairs(again) do out[#out + 1] = statement end
    end
    return
  end
  if turn.said then return end -- nothing has come in
  if turn.continued then
    out[#out + 1] = {
      "UPDATE continuations SET done_at = $2 WHERE token_hash = $1 AND done_at IS NULL",
      turn.continued.token_hash, turn.finished_at, expect = 1,
    }
    return
  end
  local keep = turn.keyed
  if turn.admitted then
    out[#out + 1] = {
      "UPDATE inbox SET state = 'done', payload = NULL, response = $3 "
        .. "WHERE source = $1 AND key = $2 AND state = 'open'",
      turn.source, turn.key, keep and turn.response_text or json.null, n = 3, expect = 1,
      contended = true,
    }
  else
    out[#out + 1] = {
      "INSERT INTO inbox (source, key, dialog_id, state, body_hash, response, trace_id, "
        .. "received_at) VALUES ($1, $2, $3, 'done', $4, $5, $6, $7)",
      turn.source, turn.key, turn.dialog.id, turn.body_hash,
      keep and turn.response_text or json.null, turn.trace_id, turn.received_at, n = 7,
      append = true, contended = true,
    }
  end
end

local INSERT_DIALOG = "INSERT INTO dialogs (id, user_id, channel, locale, status, reset_version, "
  .. "state, version, created_at, last_message_at, expires_at%s) "
  .. "VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10%s)"
local INSERT, INSERT_LEASED =
  INSERT_DIALOG:format("", ""), INSERT_DIALOG:format(", lease_owner", ", $11")

-- Only on the row that was read: another writer in between makes the whole turn a conflict.
local UPDATE_DIALOG = "UPDATE dialogs SET status = $3, reset_version = $4, state = $5, "
  .. "version = $2 + 1, last_message_at = $6, expires_at = $7%s WHERE id = $1 AND version = $2"
local UPDATE = UPDATE_DIALOG:format ""
local TYPES = "text bigint text bigint text bigint bigint"
local UPDATE_RELEASE = UPDATE_DIALOG:format ", lease_owner = NULL"

local function insert_dialog(turn, sql, ...)
  local d = turn.dialog
  return {
    contended = true, n = 10 + select("#", ...), sql, d.id, turn.user.id, d.channel, d.locale,
    d.status, d.reset_version, turn.state_text, turn.received_at,
    turn.last_at or turn.inbound_at, session.expires_at(d.state), ...,
  }
end

local function dialog(turn, out)
  local d = turn.dialog
  if d.is_new then
    out[#out + 1] = insert_dialog(turn, INSERT)
  else
    out[#out + 1] = {
      turn.leased and UPDATE_RELEASE or UPDATE, d.id, d.version, d.status, d.reset_version,
      turn.state_text, turn.last_at, session.expires_at(d.state), n = 7, expect = 1,
      join = TYPES, contended = true,
    }
  end
end

local function messages(turn, out)
  local d, rows = turn.dialog, {}
  local version = turn.history_version or d.reset_version
  if turn.message then
    rows[1] = {
      d.id, turn.inbound_id, version, "user", turn.inbound_text, turn.trace_id,
      turn.inbound_at, nil,
    }
  end
  if turn.reply_id then
    rows[#rows + 1] = {
      d.id, turn.reply_id, version, turn.said and turn.said.as or "plugin",
      turn.reply_text, turn.trace_id, turn.last_at, turn.usage and json.encode(turn.usage),
    }
  end
  if #rows == 0 then return end
  out[#out + 1] = insert("INSERT INTO messages (dialog_id, id, reset_version, sender_type, "
    .. "payload, trace_id, created_at, llm_usage) VALUES ", 8, rows)
end

local INTO_CALLS = "INSERT INTO plugin_calls (id, plugin_id, dialog_id, attempt, status, "
  .. "latency_ms, error_code, trace_id, started_at, finished_at%s) VALUES "
local CALLS, RECORDED_CALLS = INTO_CALLS:format "", INTO_CALLS:format ", request, response"

local function calls(turn, out)
  if #turn.calls == 0 then return end
  local rows, recorded = {}, false
  for i, c in ipairs(turn.calls) do
    rows[i] = {
      c.id, c.plugin, turn.dialog.id, c.attempt, c.status, c.latency_ms, c.error_code,
      turn.trace_id, c.started_at, c.finished_at, c.request, c.response,
    }
    recorded = recorded or c.request ~= nil
  end
  out[#out + 1] = insert(recorded and RECORDED_CALLS or CALLS, recorded and 12 or 10, rows)
end

local function events(turn, out, shared)
  if #turn.events == 0 then return end
  out[#out + 1] = audit_logs.rows(turn.events)
  out[#out + 1] = shared:events(turn.events)
  if not turn.plugin_events then return end
  out[#out + 1] = insert("INSERT INTO plugin_events (id, plugin_id, event_type, severity, "
    .. "trace_id, payload, occurred_at) VALUES ", 7, turn.plugin_events)
end

local function jobs(turn, out)
  for _, j in ipairs(turn.jobs) do
    if j.name then out[#out + 1] = recurring.take_back(turn.dialog.id, j.plugin, j.name) end
    out[#out + 1] = j.id and {
      "INSERT INTO jobs (id, plugin, job, dialog_id, data, run_at, state, trace_id, created_at, "
        .. "data_version, name, every_ms, due_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $9, $10, $11, $12)",
      j.id, j.plugin, j.job, j.dialog_id or turn.dialog.id, j.data and json.encode(j.data),
      j.run_at, turn.trace_id, turn.finished_at, j.data_version, j.name, j.every_ms, j.due_at,
      n = 12,
    }
  end
end

local function continuations(turn, out)
  for _, c in ipairs(turn.continuations) do
    out[#out + 1] = {
      "INSERT INTO continuations (token_hash, plugin, dialog_id, invocation_id, reset_version, "
        .. "trace_id, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
      c.token_hash, c.plugin, turn.dialog.id, c.invocation_id, turn.dialog.reset_version,
      turn.trace_id, c.expires_at,
    }
  end
end

-- The user's other dialogs get another version, so that nobody goes on with the user as they were;
-- one that is held is stored whatever happens.
local CHOOSE = "UPDATE users SET chosen_locale = $2, "
  .. "updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END WHERE id = $1"
local OUTDATE = "UPDATE dialogs SET version = version + 1 WHERE user_id = $1 AND id <> $2 "
  .. "AND lease_owner IS NULL"

local function choice(turn, out)
  if not turn.choice or turn.choice.locale == turn.user.chosen_locale then return end
  out[#out + 1] = { CHOOSE, turn.user.id, turn.choice.locale, turn.finished_at, n = 3 }
  out[#out + 1] = { OUTDATE, turn.user.id, turn.dialog.id }
end

---@param turn table
---@param shared table parley.shared: its events go out by the same transaction
---@param deliveries table[]|nil statements of the dialog's channel
---@return table[] statements for one db:commit; `contended` are those with which another worker may
---  have been faster, so that the turn is worth another attempt
function M.statements(turn, shared, deliveries)
  local out = { key = turn.dialog.id, results = false, urgent = turn.urgent }
  turn.state_text = json.encode(turn.dialog.state)
  inbox(turn, out)
  dialog(turn, out)
  messages(turn, out)
  calls(turn, out)
  events(turn, out, shared)
  jobs(turn, out)
  continuations(turn, out)
  session.statements(turn, out)
  choice(turn, out)
  if turn.once then out[#out + 1] = turn.once(200, turn.response_text) end
  for _, write in ipairs(turn.writes) do out[#out + 1] = write end
  for _, s in ipairs(deliveries or {}) do out[#out + 1] = s end
  return out
end

-- A job may have been begun before: whoever begins it again has it.
local ADMIT = "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, "
  .. "received_at, owner) VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8)"
local ADMIT_JOB = ADMIT .. " ON CONFLICT (source, key) DO UPDATE SET owner = excluded.owner "
  .. "WHERE inbox.state = 'open'"

---What makes a message or the attempt of a job durable, and keeps other workers from its dialog,
---before anything outside may see its effects.
---@param turn table
---@return table[] statements for one db:commit
function M.admission(turn)
  local d, out = turn.dialog, { key = turn.dialog.id, results = false, urgent = turn.urgent }
  turn.state_text = json.encode(d.state)
  if turn.key and not turn.admitted then
    out[1] = {
      turn.job and ADMIT_JOB or ADMIT,
      turn.source, turn.key, d.id, turn.inbound_text, turn.body_hash, turn.trace_id,
      turn.received_at, turn.owner, n = 8, expect = turn.job and 1 or nil,
    }
  end
  if d.is_new then
    out[#out + 1] = insert_dialog(turn, INSERT_LEASED, turn.owner)
  else
    out[#out + 1] = {
      "UPDATE dialogs SET version = version + 1, lease_owner = $3 "
        .. "WHERE id = $1 AND version = $2", d.id, d.version, turn.owner, expect = 1,
    }
  end
  return out
end

return M
