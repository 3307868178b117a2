-- Deliveries of channels: rows of `outbox`, written with the turn that has decided them.
--
-- A row is begun by counting up its `attempts` from what was read: whoever is second to count, is
-- not the one who sends. What is begun and not done when its sender ends is uncertain for the next.

local crypto = require "host.crypto"
local ids = require "parley.turn.ids"
local insert = require "parley.store.insert"
local json = require "host.json"

local M = {}

---@class parley.Delivery
---@field id string
---@field sender string
---@field dialog_id string
---@field lane string
---@field method string
---@field params table
---@field attempts integer
---@field uncertain boolean nobody knows whether an earlier attempt was carried out
---@field trace_id string
---@field reply_id string|nil

local INTO = "INSERT INTO outbox (id, sender, dialog_id, reply_id, lane, method, params, state, "
  .. "attempts, trace_id, created_at) VALUES "

---Lanes, in the order in which they go first.
---@type string[]
M.LANES = { "answer", "reply", "operator", "p2p", "broadcast" }

local IS_LANE = {}
for _, lane in ipairs(M.LANES) do IS_LANE[lane] = true end

-- Ids that sort as the dialog went, also when the clock of another host, which had its last turn,
-- is ahead of this one.
local function new_ids(at_least, n)
  local first, _, made_up = ids.message(at_least)
  local out = { first }
  for i = 2, n do
    out[i] = made_up and first:sub(1, 24) .. ("%012x"):format(i) or crypto.uuid7()
  end
  if made_up then out[1] = first:sub(1, 24) .. ("%012x"):format(1) end
  return out
end

---@param sender string
---@param turn {dialog: {id: string}, reply_id: string|nil, trace_id: string, last_at: integer|nil}
---  last_at: milliseconds, of the last message of the dialog
---@param calls table[] {method, params, lane}, at least one
---@return parley.Delivery[]
function M.deliveries(sender, turn, calls)
  local out, made = {}, new_ids(turn.last_at or 0, #calls)
  for i, call in ipairs(calls) do
    out[i] = {
      id = made[i], sender = sender, dialog_id = turn.dialog.id, reply_id = turn.reply_id,
      lane = IS_LANE[call.lane] and call.lane or "reply", method = call.method,
      params = call.params, attempts = 0, uncertain = false, trace_id = turn.trace_id,
    }
  end
  return out
end

local COLUMNS = 11

---@type integer how many deliveries one statement takes: a statement has at most 255 parameters
M.AT_ONCE = math.floor(255 / COLUMNS)

---@param deliveries parley.Delivery[] 1 to M.AT_ONCE
---@param at_ms integer
---@return table statement
function M.insert(deliveries, at_ms)
  local rows = {}
  for i, d in ipairs(deliveries) do
    rows[i] = {
      d.id, d.sender, d.dialog_id, d.reply_id, d.lane, d.method, json.encode(d.params), "open",
      d.attempts, d.trace_id, at_ms,
    }
  end
  return insert(INTO, COLUMNS, rows)
end

---The same for any number.
---@param deliveries parley.Delivery[]
---@param at_ms integer
---@return table[] statements
function M.inserts(deliveries, at_ms)
  if #deliveries <= M.AT_ONCE then return { M.insert(deliveries, at_ms) } end
  local out = {}
  for i = 1, #deliveries, M.AT_ONCE do
    local last = math.min(i + M.AT_ONCE - 1, #deliveries)
    out[#out + 1] = M.insert({ unpack(deliveries, i, last) }, at_ms)
  end
  return out
end

local OPEN = "SELECT id, sender, dialog_id, reply_id, lane, method, params, attempts, trace_id "
  .. "FROM outbox WHERE state = 'open' AND sender = $1 AND lane = $2 AND id < $3 "
  .. "ORDER BY id LIMIT $4"

---What a sender has still to deliver in a lane, oldest first.
---@param before string an id, "~" for all
---@return parley.Delivery[]|nil
---@return table|nil err
function M.open(db, sender, lane, before, limit)
  local rows, err = db:query(OPEN, sender, lane, before, limit)
  if not rows then return nil, err end
  for _, d in ipairs(rows) do
    d.params = json.decode(d.params)
    -- It was begun, and nobody has noted how it went.
    d.uncertain = d.attempts > 0
  end
  return rows
end

-- From one sender that has something to the next: as many steps as there are such senders, however
-- much each of them has.
local EACH_LANE = "(SELECT '" .. table.concat(M.LANES, "' AS lane UNION ALL SELECT '")
  .. "' AS lane) AS l "

local OPEN_LANES = "SELECT l.lane FROM " .. EACH_LANE .. "WHERE EXISTS (SELECT 1 FROM outbox o "
  .. "WHERE o.state = 'open' AND o.sender = $1 AND o.lane = l.lane)"

---In which lanes a sender has something to deliver.
---@return {lane: string}[]|nil
---@return table|nil err
function M.open_lanes(db, sender) return db:query(OPEN_LANES, sender) end

local WITH_SENDERS = "WITH RECURSIVE s(sender) AS ("
  .. "SELECT min(sender) FROM outbox WHERE state = 'open' "
  .. "UNION ALL SELECT (SELECT min(o.sender) FROM outbox o WHERE o.state = 'open' "
  .. "AND o.sender > s.sender) FROM s WHERE s.sender IS NOT NULL) "
local FROM_SENDERS = " FROM s CROSS JOIN " .. EACH_LANE .. "WHERE s.sender IS NOT NULL"
local OF_LANE = "FROM outbox o WHERE o.state = 'open' AND o.sender = s.sender AND o.lane = l.lane"

local SENDERS = WITH_SENDERS .. "SELECT s.sender, l.lane" .. FROM_SENDERS
  .. " AND EXISTS (SELECT 1 " .. OF_LANE .. " AND o.id < $1)"

local COUNTED_MAX = 1000 -- of each lane
local BACKLOG = WITH_SENDERS .. "SELECT * FROM (SELECT s.sender, l.lane, "
  .. "(SELECT min(o.id) " .. OF_LANE .. ") AS oldest, "
  .. "(SELECT count(*) FROM (SELECT 1 AS x " .. OF_LANE .. " LIMIT " .. COUNTED_MAX
  .. ") AS q) AS n" .. FROM_SENDERS .. ") AS b WHERE b.n > 0"

---Which senders have something to deliver.
---@param before string an id, "~" for all
---@return {sender: string, lane: string}[]|nil
---@return table|nil err
function M.senders(db, before) return db:query(SENDERS, before) end

---How much is open.
---@return {sender: string, lane: string, n: integer, oldest: string}[]|nil rows n: at most 1000 are
---  counted; oldest: the id of the first, which tells its time
---@return table|nil err
function M.backlog(db) return db:query(BACKLOG) end

local COUNT = "UPDATE outbox SET attempts = $2, uncertain = $3 "
  .. "WHERE id = $1 AND state = 'open' AND attempts = $4"

---Notes that a delivery is begun: from here on a crash leaves it uncertain.
---@param db table
---@param lease parley.Lease the right to send it
---@param delivery parley.Delivery `attempts` is counted up when it is begun
---@return boolean|nil ok
---@return table|nil err conflict: the lease is another's (`statement` 1), or the delivery is over
function M.begin(db, lease, delivery)
  local ok, err = db:commit {
    lease:guard(),
    {
      COUNT, delivery.id, delivery.attempts + 1, delivery.uncertain and 1 or 0, delivery.attempts,
      expect = 1,
    },
    key = lease.name, results = false, -- one writer for all that touch the lease
  }
  if ok then delivery.attempts = delivery.attempts + 1 end
  return ok, err
end

---Reads anew how a delivery stands that could not be begun as it was read.
---@param db table
---@param delivery parley.Delivery `attempts` and `uncertain` are set
---@return boolean|nil open whether it is still to be delivered
---@return table|nil err
function M.read_again(db, delivery)
  local row, err = db:first("SELECT attempts, uncertain FROM outbox WHERE id = $1 "
    .. "AND state = 'open'", delivery.id)
  if err then return nil, err end
  if not row then return false end
  delivery.attempts, delivery.uncertain = row.attempts, row.uncertain == 1 or row.attempts > 0
  return true
end

---It was begun, and certainly not carried out: as if it had not been begun.
---@return table statement
function M.take_back(delivery)
  return {
    COUNT, delivery.id, delivery.attempts - 1, delivery.uncertain and 1 or 0, delivery.attempts,
  }
end

---Notes that something else is delivered in its place, from the next attempt on.
---@return table statement
function M.replace(delivery)
  return {
    "UPDATE outbox SET method = $2, params = $3 WHERE id = $1 AND state = 'open'", delivery.id,
    delivery.method, json.encode(delivery.params),
  }
end

-- A sender that stood still may note what it has sent while another one has begun it again: that it
-- was uncertain stays on record.
local STAYS = "uncertain = CASE WHEN $3 = 1 THEN 1 ELSE uncertain END"

---@param reference string|number|nil what the channel calls the message
---@return table statement
function M.sent(delivery, reference, at_ms)
  return {
    "UPDATE outbox SET state = 'sent', attempts = $2, " .. STAYS .. ", reference = $4, "
      .. "done_at = $5 WHERE id = $1 AND state = 'open'",
    delivery.id, delivery.attempts, delivery.uncertain and 1 or 0,
    reference and tostring(reference), at_ms, n = 5,
  }
end

---It will not be delivered.
---@param err table {code, message}; code is blocked, deactivated or left when the chat is
---  that (table chats)
---@param letter boolean whether a person has to look at it: a row of dead_letters
---@return table[] statements
function M.dead(delivery, err, letter, at_ms)
  local text = json.encode { code = err.code, message = err.message }
  local out = {
    {
      "UPDATE outbox SET state = 'dead', attempts = $2, " .. STAYS
        .. ", error = $4, done_at = $5 WHERE id = $1 AND state = 'open'",
      delivery.id, delivery.attempts, delivery.uncertain and 1 or 0, text, at_ms,
    },
  }
  if letter then
    out[2] = {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      crypto.uuid7(), "outbox:" .. delivery.sender .. "#" .. delivery.id,
      json.encode {
        dialog_id = delivery.dialog_id, method = delivery.method, params = delivery.params,
        lane = delivery.lane, reply_id = delivery.reply_id,
      },
      text, delivery.attempts, delivery.trace_id, at_ms,
    }
  end
  return out
end

return M
