-- Deliveries of channels: rows of `outbox`, written with the turn that has decided them.

local crypto = require "host.crypto"
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

---@param sender string
---@param turn table
---@param calls table[] {method, params, lane}
---@return parley.Delivery[]
function M.deliveries(sender, turn, calls)
  local out = {}
  for i, call in ipairs(calls) do
    out[i] = {
      id = crypto.uuid7(), sender = sender, dialog_id = turn.dialog.id, reply_id = turn.reply_id,
      lane = call.lane, method = call.method, params = call.params, attempts = 0,
      uncertain = false, trace_id = turn.trace_id,
    }
  end
  return out
end

---@param deliveries parley.Delivery[] at least one
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
  return insert(INTO, 11, rows)
end

local OPEN = "SELECT id, sender, dialog_id, reply_id, lane, method, params, attempts, trace_id "
  .. "FROM outbox WHERE state = 'open' AND sender = $1 AND id > $2 ORDER BY id LIMIT $3"

---What a sender has still to deliver, oldest first.
---@param after string an id, "" from the start
---@return parley.Delivery[]|nil
---@return table|nil err
function M.open(db, sender, after, limit)
  local rows, err = db:query(OPEN, sender, after, limit)
  if not rows then return nil, err end
  for _, d in ipairs(rows) do
    d.params = json.decode(d.params)
    -- It was begun, and nobody has noted how it went.
    d.uncertain = d.attempts > 0
  end
  return rows
end

---Notes that a delivery is begun: from here on a crash leaves it uncertain.
function M.begin(db, delivery)
  delivery.attempts = delivery.attempts + 1
  return db:commit {
    {
      "UPDATE outbox SET attempts = $2, uncertain = $3 WHERE id = $1", delivery.id,
      delivery.attempts, delivery.uncertain and 1 or 0,
    },
  }
end

---Notes that something else is delivered in its place, from the next attempt on.
---@return table statement
function M.replace(delivery)
  return {
    "UPDATE outbox SET method = $2, params = $3 WHERE id = $1", delivery.id, delivery.method,
    json.encode(delivery.params),
  }
end

---@param reference string|number|nil what the channel calls the message
---@return table statement
function M.sent(delivery, reference, at_ms)
  return {
    "UPDATE outbox SET state = 'sent', attempts = $2, uncertain = $3, reference = $4, "
      .. "done_at = $5 WHERE id = $1",
    delivery.id, delivery.attempts, delivery.uncertain and 1 or 0,
    reference and tostring(reference), at_ms, n = 5,
  }
end

---It will not be delivered.
---@param err table {code, message}
---@param letter boolean whether a person has to look at it: a row of dead_letters
---@return table[] statements
function M.dead(delivery, err, letter, at_ms)
  local text = json.encode { code = err.code, message = err.message }
  local out = {
    {
      "UPDATE outbox SET state = 'dead', error = $2, done_at = $3 WHERE id = $1", delivery.id,
      text, at_ms,
    },
  }
  if letter then
    out[2] = {
      "INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      crypto.uuid7(), "outbox:" .. delivery.sender .. "#" .. delivery.id,
      json.encode {
        dialog_id = delivery.dialog_id, method = delivery.method, params = delivery.params,
      },
      text, delivery.attempts, delivery.trace_id, at_ms,
    }
  end
  return out
end

return M
