-- What has become of the deliveries of a broadcast: counted, and taken out of the outbox, in one
-- transaction. What remains there is on its way.

local insert_many = require "parley.store.insert_many"
local json = require "host.json"
local meters = require "parley.ops.meters"
local time = require "host.time"

local M = {}

-- The index of these rows has no others: what was counted is gone, or has no reply_id any more.
-- The chat cannot be written to (table chats), and its person has done it.
local CLOSED = { blocked = true, deactivated = true, left = true }

local FIND = "SELECT id, dialog_id, state, uncertain, error FROM outbox "
  .. "WHERE lane = 'broadcast' AND reply_id = $1 ORDER BY id"

-- One that was given up stays in the outbox as long as others: a letter of dead_letters names it.
local DROP = "DELETE FROM outbox WHERE id = $1"
local KEEP = "UPDATE outbox SET reply_id = NULL WHERE id = $1"

local function by_dialog(found)
  local list, known, open = {}, {}, 0
  for _, row in ipairs(found) do
    local d = known[row.dialog_id]
    if not d then
      d = { id = row.dialog_id, rows = {} }
      list[#list + 1], known[row.dialog_id] = d, d
    end
    d.rows[#d.rows + 1] = row
    if row.state == "open" then d.open, open = true, open + 1 end
  end
  return list, open
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

---Takes up what is done.
---@param db table
---@param lease parley.Lease
---@param b parley.Broadcast its counts go on
---@param pace fun(finished: integer): integer recipients per minute, by how many have just finished
---@return integer|nil open deliveries that are on their way
---@return table|integer finished recipients; or the error
function M.run(db, lease, b, pace)
  local found, err = db:query(FIND, b.id)
  if not found then return nil, err end
  local dialogs, open = by_dialog(found)
  local now, finished = time.now_ms(), 0
  local counts, statements, results = { sent = 0, blocked = 0, failed = 0, uncertain = 0 }, {}, {}
  statements[1] = lease:guard()
  for _, dialog in ipairs(dialogs) do
    if not dialog.open then
      finished = finished + 1
      local result, why = outcome(dialog)
      counts[result] = counts[result] + 1
      if result ~= "sent" then
        results[#results + 1] = { b.id, dialog.id, result, why.code, why.message, now }
      end
      for _, row in ipairs(dialog.rows) do
        statements[#statements + 1] = { row.state == "sent" and DROP or KEEP, row.id }
      end
    end
  end
  b.per_minute = pace(finished)
  if finished == 0 then return open, 0 end
  M.note(results, statements)
  statements[#statements + 1] = count(b, counts)
  local ok
  ok, err = db:commit(statements)
  if not ok then return nil, err end
  for result, n in pairs(counts) do
    b[result] = b[result] + n
    if n > 0 then meters.broadcast_recipients:with(b.bot, result):inc(n) end
  end
  return open, finished
end

return M
