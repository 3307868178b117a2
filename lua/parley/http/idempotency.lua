-- Idempotency-Key: a POST that is sent again, because its answer was lost on the way, gets the
-- first answer and does nothing a second time. Results are kept for 24 hours (parley.store.sweep).
--
-- A handler stores its answer in the transaction of its effect: ctx.once(status, text) is the
-- statement to add. A message that has no message_id uses the key as its natural key in the inbox
-- instead, which also holds when a crash cuts its turn off.

local crypto = require "host.crypto"
local task = require "host.task"
local time = require "host.time"

local M = {}

local KEY_MAX = 128
local WAIT_S = 60 -- for the first of two that came at the same time

local FIND = "SELECT body_hash, status, response FROM idempotency WHERE scope = $1 AND key = $2"
local INSERT = "INSERT INTO idempotency (scope, key, body_hash, status, response, created_at) "
  .. "VALUES ($1, $2, $3, $4, $5, $6)"

-- In this worker; what another worker does at the same time meets the primary key, and gets the
-- answer of the one that was first.
local flights = {}

local function enter(id)
  while flights[id] do
    local ok, err = flights[id]:wait(WAIT_S)
    if not ok then return nil, err end
  end
  flights[id] = task.cond()
  return true
end

local function leave(id)
  local cond = flights[id]
  flights[id] = nil
  cond:broadcast()
end

local function handle(ctx, route)
  if ctx.refused and not route.repeatable then return nil, ctx.refused end
  return route.handler(ctx)
end

-- The answer that the key has got before, if it has.
local function replay(db, ctx, scope, key, hash, answer)
  local row, err = db:first(FIND, scope, key)
  if not row then return nil, err end
  if row.body_hash ~= hash then
    return nil, {
      code = "idempotency_mismatch", message = "the Idempotency-Key was used for another body",
    }
  end
  return answer(ctx, row.status, row.response, "Idempotency-Replayed: true\r\n")
end

local function first_time(db, ctx, scope, key, hash, route, answer)
  local ok, err = replay(db, ctx, scope, key, hash, answer)
  if ok or err then return ok, err end
  ctx.idempotency_key = key
  ctx.once = function(status, text)
    return { INSERT, scope, key, hash, status, text, time.now_ms(), n = 6 }
  end
  ok, err = handle(ctx, route)
  if ok or not err or err.code ~= "unique" then return ok, err end
  -- Another worker had the same request at the same time, and was first.
  local given, problem = replay(db, ctx, scope, key, hash, answer)
  if given or problem then return given, problem end
  return nil, err
end

---Whether Idempotency-Key works on a route.
function M.applies(route) return route.method == "POST" and route.auth ~= nil end

---@return string|nil key as it came
function M.key_of(ctx, route)
  return M.applies(route) and ctx.req:header "idempotency-key" or nil
end

---Runs the handler of a route; of a POST with a key once for each key.
---@param db table
---@param ctx table of parley.http.app; `who` and `body_text` are set when the route has them;
---  `refused`: only an answer that was given before may be given
---@param route table `repeatable`: its handler knows more repetitions, and sees to `refused`
---@param answer fun(ctx: table, status: integer, text: string, headers: string) sends JSON
function M.run(db, ctx, route, answer)
  local key = M.key_of(ctx, route)
  if not key then return handle(ctx, route) end
  if key == "" or #key > KEY_MAX or key:find "[^\33-\126]" then
    return nil, {
      code = "validation_failed",
      message = ("Idempotency-Key: 1 to %d visible ASCII characters expected"):format(KEY_MAX),
    }
  end
  local scope = ctx.who.id .. " " .. ctx.path
  local id = scope .. "\0" .. key
  local ok, err = enter(id)
  if not ok then return nil, err end
  local hash = crypto.hex(crypto.sha256(ctx.body_text)):sub(1, 32)
  local good, result, failure = pcall(first_time, db, ctx, scope, key, hash, route, answer)
  leave(id)
  if not good then error(result, 0) end
  return result, failure
end

return M
