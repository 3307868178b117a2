-- The next recipients of a broadcast: their deliveries go into the outbox by the transaction that
-- moves the cursor past them. So each gets it once, whoever goes down when.

local audience = require "parley.broadcasts.audience"
local cluster = require "parley.cluster"
local collect = require "parley.broadcasts.collect"
local content = require "parley.broadcasts.content"
local meters = require "parley.ops.meters"
local outbox = require "parley.channels.outbox"
local time = require "host.time"

local M = {}

-- Deliveries for all of a page that are to get it.
local function deliveries_of(core, b, recipients, closed)
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
      turn.dialog.id = r.dialog_id
      local calls = content.calls(by_locale[key], r.dialog_id, core.telegram.key)
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
  local deliveries, rows = deliveries_of(core, b, recipients, closed)
  local statements = {
    lease:guard(), advance(b, cursor, examined, #recipients, #rows, exhausted),
  }
  collect.note(rows, statements)
  local ok
  ok, err = hand_over(core, b, deliveries, statements)
  if not ok then return nil, err end
  b.cursor, b.examined, b.taken = cursor, b.examined + examined, b.taken + #recipients
  b.blocked, b.exhausted = b.blocked + #rows, exhausted and 1 or 0
  if #rows > 0 then meters.broadcast_recipients:with(b.bot, "blocked"):inc(#rows) end
  return #deliveries
end

return M
