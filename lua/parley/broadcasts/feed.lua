-- The next recipients of a broadcast: their deliveries go into the outbox by the transaction that
-- moves the cursor past them. So each gets it once, whoever goes down when.

local audience = require "parley.broadcasts.audience"
local cluster = require "parley.cluster"
local collect = require "parley.broadcasts.collect"
local content = require "parley.broadcasts.content"
local crypto = require "host.crypto"
local json = require "host.json"
local meters = require "parley.ops.meters"
local outbox = require "parley.channels.outbox"
local time = require "host.time"

local M = {}

local REMEMBER = "INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, "
  .. "trace_id, created_at) SELECT d.id, $1, d.reset_version, 'operator', $2, $3, $4 "
  .. "FROM dialogs d WHERE d.id IN (%s)"

-- What is said in dialogs belongs to their histories. A dialog that has not begun has none.
---@param said table<table, string[]> ids of dialogs, by the actions in their language
local function remember(b, said, statements)
  local now = time.now_ms()
  for actions, ids in pairs(said) do
    local values = {
      crypto.uuid7(), json.encode { actions = actions, broadcast = b.id }, b.trace_id, now,
      unpack(ids),
    }
    local marks = {}
    -- Few forms of the statement, whatever number of people there is.
    local n = #ids == 1 and 1 or #ids <= 10 and 10 or audience.PAGE
    for i = 1, n do
      marks[i], values[i + 4] = "$" .. i + 4, ids[i] or ""
    end
    statements[#statements + 1] = { REMEMBER:format(table.concat(marks, ", ")), unpack(values) }
  end
end

-- Deliveries for all of a page that are to get it.
local function deliveries_of(core, b, recipients, closed, said)
  local out, rows, by_locale = {}, {}, {}
  local turn = { dialog = {}, reply_id = b.id, trace_id = b.trace_id }
  local now = time.now_ms()
  for _, r in ipairs(recipients) do
    if closed[r.dialog_id] then
      rows[#rows + 1] = {
        b.id, r.dialog_id, "blocked", closed[r.dialog_id], "known before: it was not tried", now,
      }
    else
      local key = r.locale or ""
      by_locale[key] = by_locale[key] or content.for_locale(b.actions, r.locale, b.locale)
      local actions = by_locale[key]
      said[actions] = said[actions] or {}
      table.insert(said[actions], r.dialog_id)
      turn.dialog.id = r.dialog_id
      local calls = content.calls(actions, r.dialog_id, core.telegram.key)
      for _, d in ipairs(outbox.deliveries("tg:" .. b.bot, turn, calls)) do out[#out + 1] = d end
    end
  end
  return out, rows
end

local function advance(b, cursor, examined, taken, blocked, exhausted)
  return {
    "UPDATE broadcasts SET cursor = $3, examined = examined + $4, taken = taken + $5, "
      .. "blocked = blocked + $6, exhausted = $7 "
      .. "WHERE id = $1 AND state = 'running' AND cursor = $2",
    b.id, b.cursor, cursor, examined, taken, blocked, exhausted and 1 or 0, expect = 1,
  }
end

-- Stores the deliveries, and tells who sends for the bot, here or elsewhere.
local function hand_over(core, b, deliveries, statements)
  local sender = core.telegram.senders[b.bot]
  if #deliveries > 0 then
    for _, s in ipairs(outbox.inserts(deliveries, time.now_ms())) do
      statements[#statements + 1] = s
    end
    if not sender then statements[#statements + 1] = cluster.bump "outbox" end
  end
  local ok, err = core.db:commit(statements)
  -- None of them is begun by this transaction: what has not been tried is not uncertain.
  if ok and sender then sender:push(deliveries) end
  return ok, err
end

---Hands a page over to the sender.
---@param core {db: table, telegram: table}
---@param lease parley.Lease
---@param b parley.Broadcast running; its counts go on
---@param limit integer recipients, at most audience.PAGE
---@return integer|nil deliveries
---@return table|nil err "conflict": it was paused, or another worker leads
function M.page(core, lease, b, limit)
  local recipients, examined, cursor = audience.page(core.db, b, limit)
  if not recipients then return nil, examined end
  local exhausted = examined < limit
  local closed, err = {}, nil
  if #recipients > 0 then closed, err = audience.closed(core.db, b.bot, recipients) end
  if not closed then return nil, err end
  local said = {}
  local deliveries, rows = deliveries_of(core, b, recipients, closed, said)
  local statements = {
    lease:guard(), advance(b, cursor, examined, #recipients, #rows, exhausted),
  }
  collect.note(rows, statements)
  remember(b, said, statements)
  local ok
  ok, err = hand_over(core, b, deliveries, statements)
  if not ok then return nil, err end
  b.cursor, b.examined, b.taken = cursor, b.examined + examined, b.taken + #recipients
  b.blocked, b.exhausted = b.blocked + #rows, exhausted and 1 or 0
  if #rows > 0 then meters.broadcast_recipients:with(b.bot, "blocked"):inc(#rows) end
  return #deliveries
end

return M
