-- What has become of the deliveries of a broadcast: counted, and taken out of the outbox, in one
-- transaction. What remains there is on its way.

local insert_many = require "parley.store.insert_many"
local json = require "host.json"
local meters = require "parley.ops.meters"
local time = require "host.time"

local M = {}

-- What the sender says of a chat that cannot be written to any more (table chats).
local CLOSED = { blocked = true, deactivated = true, left = true }

local AT_ONCE = 900 -- rows of a transaction, which takes 1000 statements

-- The index of these rows has no others: what was counted is gone, or has no reply_id any more.
local FIND = "SELECT id, dialog_id, state, uncertain, error FROM outbox "
  .. "WHERE lane = 'broadcast' AND reply_id = $1 ORDER BY id"

-- One that was given up stays in the outbox as long as others: a letter of dead_letters names it.
local DROP = "DELETE FROM outbox WHERE id = $1"
local KEEP = "UPDATE outbox SET reply_id = NULL WHERE id = $1"

local function by_dialog(found)
  local list, known = {}, {}
  for _, row in ipairs(found) do
    local d = known[row.dialog_id]
    if not d then
      d = { id = row.dialog_id, rows = {} }
      list[#list + 1], known[row.dialog_id] = d, d
    end
    d.rows[#d.rows + 1] = row
    d.open = d.open or row.state == "open"
  end
  return list
end

-- The worst of the parts that a recipient gets stands for all of them.
local RANK = { sent = 0, uncertain = 1, failed = 2, blocked = 3 }

local function result_of(row)
  local err = row.state ~= "sent" and row.error and json.decode(row.error)
  if err and CLOSED[err.code] then return "blocked", err end
  if row.uncertain == 1 then return "uncertain", err or { code = "repeated" } end
  if row.state ~= "sent" then return "failed", err or { code = row.state } end
  return "sent"
end

local function outcome(dialog)
  local worst, why = "sent", nil
  for _, row in ipairs(dialog.rows) do
    local result, err = result_of(row)
    if RANK[result] > RANK[worst] then worst, why = result, err end
  end
  return worst, why
end

---Rows of broadcast_results.
---@param rows any[][] broadcast_id, dialog_id, result, code, message, at
---@param out table[] gets the statements
function M.note(rows, out)
  insert_many("INSERT INTO broadcast_results (broadcast_id, dialog_id, result, code, message, at) "
    .. "VALUES ", 6, rows, out)
end

local function count(b, counts)
  return {
    "UPDATE broadcasts SET sent = sent + $2, blocked = blocked + $3, failed = failed + $4, "
      .. "uncertain = uncertain + $5, per_minute = $6 WHERE id = $1",
    b.id, counts.sent, counts.blocked, counts.failed, counts.uncertain, b.per_minute,
  }
end

-- What has become of the dialogs whose parts are all done: the statements that take it up.
local function settle(b, dialogs)
  local now, out = time.now_ms(), { statements = {}, rows = 0, finished = 0 }
  out.counts = { sent = 0, blocked = 0, failed = 0, uncertain = 0 }
  local results = {}
  for _, dialog in ipairs(dialogs) do
    if not dialog.open and out.rows + #dialog.rows <= AT_ONCE then
      local result, why = outcome(dialog)
      out.counts[result], out.finished = out.counts[result] + 1, out.finished + 1
      if result ~= "sent" then
        results[#results + 1] = { b.id, dialog.id, result, why.code, why.message, now }
      end
      for _, row in ipairs(dialog.rows) do
        out.rows = out.rows + 1
        out.statements[out.rows] = { row.state == "sent" and DROP or KEEP, row.id }
      end
    end
  end
  M.note(results, out.statements)
  return out
end

---Takes up what is done.
---@param db table
---@param lease parley.Lease
---@param b parley.Broadcast its counts go on
---@param pace fun(finished: integer): integer recipients per minute, by how many have just finished
---@return integer|nil open deliveries that are on their way, or not counted yet
---@return table|integer finished recipients; or the error
function M.run(db, lease, b, pace)
  local found, err = db:query(FIND, b.id)
  if not found then return nil, err end
  local done = settle(b, by_dialog(found))
  b.per_minute = pace(done.finished)
  if done.finished == 0 then return #found, 0 end
  table.insert(done.statements, 1, lease:guard())
  table.insert(done.statements, count(b, done.counts))
  local ok
  ok, err = db:commit(done.statements)
  if not ok then return nil, err end
  for result, n in pairs(done.counts) do
    b[result] = b[result] + n
    if n > 0 then meters.broadcast_recipients:with(b.bot, result):inc(n) end
  end
  return #found - done.rows, done.finished
end

return M
