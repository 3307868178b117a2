-- Dead letters: what was given up, for a person to look at, to send again, or to throw away.
--
-- The source of a letter says what it was: `outbox:SENDER#ID` a message that a channel has not
-- taken, `job:PLUGIN#ID` a job, `stream:NAME` an event for Redis, anything else `SOURCE#KEY` a
-- message of a user. To replay it is to open again what it came from, by the transaction that takes
-- the letter away: it happens once, whoever asks for it how often.

local audit = require "parley.store.audit"
local cluster = require "parley.cluster"
local feed = require "parley.store.feed"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@type string[]
M.KINDS = { "message", "job", "outbox", "stream" }

local COLUMNS = "id, source, payload, error, attempts, trace_id, created_at"

-- A condition on the source, in terms of the kind.
local OF_KIND = {
  outbox = "source LIKE 'outbox:%'", job = "source LIKE 'job:%'", stream = "source LIKE 'stream:%'",
  message = "source NOT LIKE 'outbox:%' AND source NOT LIKE 'job:%' AND source NOT LIKE 'stream:%'",
}

---@param source string
---@return "message"|"job"|"outbox"|"stream" kind
---@return string of whose it is: the source of the message, the plugin, the sender, the stream
---@return string|nil key
local function read_source(source)
  local head, key = source:match "^(.-)#(.*)$"
  local prefix, of = (head or source):match "^(%l+):(.*)$"
  if prefix == "outbox" or prefix == "job" or prefix == "stream" then return prefix, of, key end
  return "message", head or source, key
end

local function decoded(text)
  local value = json.decode(text)
  if type(value) == "table" then return value end
  return nil
end

---A letter as people and programs see it.
---@param row table
---@return table DeadLetterV1
function M.view(row)
  return {
    id = row.id, kind = (read_source(row.source)), source = row.source,
    error = decoded(row.error) or { code = "refused", message = row.error },
    payload = decoded(row.payload) or { text = row.payload }, attempts = row.attempts,
    trace_id = row.trace_id, created_at = time.rfc3339(row.created_at),
  }
end

---The letters, newest first.
---@param q {limit: integer|nil, cursor: string|nil, kind: string|nil}
---@return table[]|nil rows
---@return string|table|nil next_cursor, or the error
function M.page(db, q)
  local limit = q.limit or 50
  local rows, err = db:query("SELECT " .. COLUMNS .. " FROM dead_letters WHERE id < $1"
    .. (q.kind and " AND " .. OF_KIND[q.kind] or "") .. " ORDER BY id DESC LIMIT $2",
    q.cursor or "~", limit + 1)
  if not rows then return nil, err end
  if #rows <= limit then return rows end
  rows[#rows] = nil
  return rows, rows[#rows].id
end

local function not_found(id)
  return nil, {
    code = "dead_letter_not_found",
    message = id and ("no dead letter '%s': it was replayed, or thrown away"):format(id)
      or "this is the id of no dead letter",
  }
end

---@param id string
---@return table|nil row
---@return table|nil err dead_letter_not_found, or of the database
function M.get(db, id)
  if #id > 64 or not id:find "^[%w-]+$" then return not_found() end -- anybody's text
  local row, err = db:first("SELECT " .. COLUMNS .. " FROM dead_letters WHERE id = $1", id)
  if err then return nil, err end
  if not row then return not_found(id) end
  return row
end

-- What opens again that of which a letter is: statements, and what it means when the last of them
-- changes nothing.
local replays = {}

function replays.outbox(row, sender, id)
  local p = json.decode(row.payload)
  return {
    cluster.bump "outbox",
    {
      -- Its row goes a week after it was given up; the letter stays.
      "INSERT INTO outbox (id, sender, dialog_id, reply_id, lane, method, params, state, attempts, "
        .. "trace_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', 0, $8, $9) "
        .. "ON CONFLICT (id) DO UPDATE SET state = 'open', attempts = 0, uncertain = 0, "
        .. "error = NULL, done_at = NULL WHERE outbox.state = 'dead'",
      id, sender, p.dialog_id, p.reply_id, p.lane or "reply", p.method, json.encode(p.params),
      row.trace_id, time.now_ms(), n = 9, expect = 1,
    },
  }, "the message is on its way already"
end

function replays.job(_, _, id)
  return {
    cluster.bump "jobs",
    -- What an earlier start has left of it would be taken for this one.
    { "DELETE FROM inbox WHERE source = $1 AND state <> 'open'", "job:" .. id },
    {
      "UPDATE jobs SET state = 'open', attempts = 0, starts = 0, run_at = $2 "
        .. "WHERE id = $1 AND state = 'failed' AND NOT EXISTS (SELECT 1 FROM jobs o WHERE "
        .. "o.dialog_id = jobs.dialog_id AND o.plugin = jobs.plugin AND o.name = jobs.name "
        .. "AND o.state = 'open')", id, time.now_ms(), expect = 1,
    },
  }, "the job is gone, or is to be fired already"
end

function replays.message(row, source, key)
  return {
    {
      -- The worker that has had it finds it, or who looks after that worker when it is gone.
      "UPDATE inbox SET state = 'open', attempts = 0, payload = $3 "
        .. "WHERE source = $1 AND key = $2 AND state = 'failed'",
      source, key, row.payload, expect = 1,
    },
  }, "the message is gone, or its turn is to be run already"
end

function replays.stream(row, stream)
  return {
    {
      "INSERT INTO streams (stream, payload, created_at) VALUES ($1, $2, $3)", stream, row.payload,
      time.now_ms(), expect = 1,
    },
  }, "the event is to be published already"
end

local function note(action, by, details)
  return audit.insert { source = by, action = action, severity = "info", details = details }
end

---Opens again that of which a letter is, and takes the letter away.
---@param db table
---@param id string
---@param order {by: string, reason: string|nil, more: table|nil} by: "cli", "token:ID"; more: a
---  statement for the same transaction
---@return table|nil row of the letter
---@return table|nil err dead_letter_not_found; conflict: there is nothing to be opened; or of the
---  database
function M.replay(db, id, order)
  local row, err = M.get(db, id)
  if not row then return nil, err end
  local kind, of, key = read_source(row.source)
  local statements, problem = replays[kind](row, of, key)
  local last = #statements
  statements[last + 1] = { "DELETE FROM dead_letters WHERE id = $1", id, expect = 1 }
  statements[last + 2] = note("dead_letter_replayed", order.by, {
    id = id, source = row.source, reason = order.reason,
  })
  statements[last + 3] = order.more
  local ok
  ok, err = db:commit(statements)
  if ok then return row end
  if err.code ~= "conflict" then return nil, err end
  if err.statement == last + 1 then return not_found(id) end
  return nil, { code = "conflict", message = ("%s cannot be replayed: %s"):format(id, problem) }
end

---Throws a letter away.
---@param db table
---@param id string
---@param by string who orders it: "cli", "token:ID"
---@return table|nil row of the letter
---@return table|nil err as of replay
function M.purge(db, id, by)
  local row, err = M.get(db, id)
  if not row then return nil, err end
  local ok
  ok, err = db:commit {
    { "DELETE FROM dead_letters WHERE id = $1", id, expect = 1 },
    note("dead_letters_purged", by, { id = id, source = row.source, count = 1 }),
  }
  if ok then return row end
  if err.code == "conflict" then return not_found(id) end
  return nil, err
end

---Throws away all letters of a kind, or that are old.
---@param db table
---@param q {kind: string|nil, before: integer|nil} before: milliseconds
---@param by string as for purge
---@param more (fun(count: integer): table|nil)|nil makes a statement for the same transaction
---@return integer|nil count
---@return table|nil err
function M.purge_all(db, q, by, more)
  local where = "WHERE id < $1" .. (q.kind and " AND " .. OF_KIND[q.kind] or "")
  local bound = q.before and feed.bound(q.before) or "~"
  local row, err = db:first("SELECT count(*) AS n FROM dead_letters " .. where, bound)
  if not row then return nil, err end
  local results
  results, err = db:commit {
    { "DELETE FROM dead_letters " .. where, bound, expect = row.n },
    note("dead_letters_purged", by, {
      kind = q.kind, before = q.before and time.rfc3339(q.before), count = row.n,
    }),
    more and more(row.n),
  }
  if results then return row.n end
  return nil, err
end

return M
