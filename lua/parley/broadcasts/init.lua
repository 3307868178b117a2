-- Broadcasts: one message to many people, as a job that lasts. What an operator orders is a change
-- of its row; the worker that leads "broadcasts" (parley.broadcasts.watch) carries it out.

local audience = require "parley.broadcasts.audience"
local audit = require "parley.store.audit"
local bots = require "parley.store.bots"
local cluster = require "parley.cluster"
local content = require "parley.broadcasts.content"
local crypto = require "host.crypto"
local rows = require "parley.broadcasts.rows"
local task = require "host.task"
local time = require "host.time"

local M = {}

M.get, M.list, M.view = rows.get, rows.list, rows.view

---@type string[] what may become of a recipient, beside "sent"
M.RESULTS = { "blocked", "failed", "uncertain" }

local LISTS = { "dialogs", "users", "telegram_ids" }

---@class parley.BroadcastOrder
---@field by string who orders it, as `source` of audit_logs
---@field reason string|nil
---@field more (fun(view: table): table|nil)|nil a further statement for the transaction, by what
---  will be answered

local function note(b, action, order, details)
  details = details or {}
  details.broadcast_id, details.bot, details.label = b.id, b.bot, b.label
  details.reason = order.reason
  return audit.insert {
    source = order.by, action = action, severity = "info", trace_id = b.trace_id, details = details,
  }
end

-- A list is in a table of its own; the row says how long it is.
local function shown(given, list)
  local out = {}
  for key, value in pairs(given) do out[key] = value end
  for _, name in ipairs(LISTS) do out[name] = nil end
  out.listed = list and #list or nil
  return out
end

---Whether there is such a bot.
---@param db table
---@param name string
---@return boolean|nil ok
---@return table|nil err
function M.check_bot(db, name)
  local row, err = bots.get(db, name)
  if row or err then return row ~= nil or nil, err end
  local message = ("there is no bot '%s'"):format(name)
  return nil, {
    code = "validation_failed", retryable = false, message = "/bot: " .. message,
    errors = { { path = "/bot", code = "bot", message = message } },
  }
end

---Makes a draft.
---@param db table
---@param given {bot: string, label: string|nil, locale: string, actions: table[],
---  audience: table|nil} as BroadcastCreateV1; the bot is known
---@param order parley.BroadcastOrder
---@return table|nil view BroadcastV1
---@return table|nil err
function M.create(db, given, order)
  local who = given.audience or {}
  local ok, err = content.check(given.bot, given.actions, given.locale)
  if ok then ok, err = audience.check(who) end
  if not ok then return nil, err end
  local list
  if audience.is_list(who) then
    list, err = audience.resolve(db, given.bot, who)
    if not list then return nil, err end
  end
  local b = {
    id = crypto.uuid7(), bot = given.bot, label = given.label, state = "draft",
    locale = given.locale, actions = given.actions, audience = shown(who, list),
    trace_id = task.trace() or crypto.trace_id(), created_by = order.by,
    created_at = time.now_ms(), exhausted = 0, examined = 0, taken = 0, sent = 0, blocked = 0,
    failed = 0, uncertain = 0, per_minute = 0,
  }
  if list then ok, err = audience.store(db, b.id, list) end
  if not ok then return nil, err end
  local view = rows.view(b)
  local statements = { rows.insert(b), note(b, "broadcast_created", order) }
  statements[3] = order.more and order.more(view)
  ok, err = db:commit(statements)
  if not ok then return nil, err end
  return view
end

-- One state after another: from which ones, what is set. Told are the leader and the audit.
local function change(db, id, how, order)
  local b, err = rows.get(db, id)
  if not b then return nil, err end
  local before = b.state
  if not how.from[before] then
    return nil, {
      code = "conflict", retryable = false,
      message = ("the broadcast is %s: only one that is %s can be %s"):format(before, how.words,
        how.done),
    }
  end
  local now = time.now_ms()
  how.set(b, now)
  local view = rows.view(b)
  local statements = {
    {
      "UPDATE broadcasts SET state = $3, live = 1, start_at = $4, started_at = $5, "
        .. "finished_at = $6 WHERE id = $1 AND state = $2",
      id, before, b.state, b.start_at, b.started_at, b.finished_at, n = 6, expect = 1,
    },
    note(b, how.event, order), cluster.bump "broadcasts",
  }
  statements[#statements + 1] = order.more and order.more(view)
  local ok
  ok, err = db:commit(statements)
  if ok then return view end
  if err.code == "conflict" and err.statement == 1 then
    err = {
      code = "conflict", retryable = true,
      message = "somebody else has just changed the broadcast: look at it again",
    }
  end
  return nil, err
end

---Starts it, or says when it is to start.
---@param db table
---@param id string
---@param order parley.BroadcastOrder `at`: milliseconds; nil or past: now
---@return table|nil view
---@return table|nil err "conflict", "broadcast_not_found"
function M.start(db, id, order)
  return change(db, id, {
    from = { draft = true, scheduled = true }, words = "a draft or scheduled", done = "started",
    event = "broadcast_started",
    set = function(b, now)
      if order.at and order.at > now then
        b.state, b.start_at = "scheduled", order.at
      else
        b.state, b.started_at = "running", now
      end
    end,
  }, order)
end

---Takes nobody further; what is on its way, seconds' worth, still arrives.
function M.pause(db, id, order)
  return change(db, id, {
    from = { running = true }, words = "running", done = "paused", event = "broadcast_paused",
    set = function(b) b.state = "paused" end,
  }, order)
end

---Goes on where it was.
function M.resume(db, id, order)
  return change(db, id, {
    from = { paused = true }, words = "paused", done = "resumed", event = "broadcast_resumed",
    set = function(b) b.state = "running" end,
  }, order)
end

---Ends it for good.
function M.cancel(db, id, order)
  return change(db, id, {
    from = { draft = true, scheduled = true, running = true, paused = true },
    words = "not over yet", done = "cancelled", event = "broadcast_cancelled",
    set = function(b, now) b.state, b.finished_at = "cancelled", now end,
  }, order)
end

---How it went, or goes: the broadcast, and why recipients have not got it.
---@param db table
---@param id string
---@return table|nil report BroadcastReportV1
---@return table|nil err
function M.report(db, id)
  local b, err = rows.get(db, id)
  if not b then return nil, err end
  local reasons
  reasons, err = db:query("SELECT result, code, count(*) AS recipients FROM broadcast_results "
    .. "WHERE broadcast_id = $1 GROUP BY result, code ORDER BY result, count(*) DESC, code", id)
  if not reasons then return nil, err end
  return { broadcast = rows.view(b), reasons = reasons }
end

---Recipients that have not got it, or perhaps twice, in the order of their dialogs.
---@param db table
---@param id string
---@param result string|nil of M.RESULTS; nil: all
---@param after string|nil a dialog
---@param limit integer
---@return {dialog_id: string, result: string, code: string, message: string|nil, at: string}[]|nil
---@return table|nil err
function M.results(db, id, result, after, limit)
  local found, err = db:query("SELECT dialog_id, result, code, message, at FROM broadcast_results "
    .. "WHERE broadcast_id = $1 AND dialog_id > $2 AND ($3 = '' OR result = $3) "
    .. "ORDER BY dialog_id LIMIT $4", id, after or "", result or "", limit)
  if not found then return nil, err end
  for _, row in ipairs(found) do row.at = time.rfc3339(row.at) end
  return found
end

return M
