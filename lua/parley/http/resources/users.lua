-- /api/v1/users: create or update a user by the identity that a channel knows.
--
-- The answer is made before the transaction, so that it can be kept in it (Idempotency-Key): the
-- row is read, and written only as it was read. In a worker one comes after the other; when another
-- worker has written it in between, it is read again.

local app = require "parley.http.app"
local cluster = require "parley.cluster"
local crypto = require "host.crypto"
local json = require "host.json"
local lanes = require "parley.turn.lanes"
local schema = require "parley.schema.v1alpha"
local telegram_users = require "parley.channels.telegram.users"
local time = require "host.time"

local M = {}

local TRIES = 20 -- each that is lost was a success of another worker
local LINE, WAIT_S = 100, 10 -- requests for one user, in a worker

local FIND = {
  telegram_id = "SELECT * FROM users WHERE telegram_id = $1",
  external_id = "SELECT * FROM users WHERE external_id = $1",
}

local INSERT = "INSERT INTO users (id, telegram_id, external_id, role, locale, name, attributes, "
  .. "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"

local UPDATE = "UPDATE users SET role = $3, locale = $4, name = $5, attributes = $6, "
  .. "updated_at = $7 WHERE id = $1 AND updated_at = $2"

-- The user as the request leaves it: what it does not name stays.
local function merge(row, body)
  local now = time.now_ms()
  return {
    id = row and row.id or crypto.uuid7(),
    telegram_id = row and row.telegram_id or body.telegram_id,
    external_id = row and row.external_id or body.external_id,
    role = body.role or row and row.role or "user",
    locale = body.locale or row and row.locale,
    name = body.name or row and row.name,
    attributes = body.attributes and json.encode(body.attributes) or row and row.attributes,
    created_at = row and row.created_at or now,
    -- It grows with every change: that is how a change in between is noticed.
    updated_at = row and math.max(now, row.updated_at + 1) or now,
  }
end

-- What has the user as it was, a turn that is under way or a copy of parley.turn.recall, is not
-- stored: its dialog has another version. One that is held is stored whatever happens.
local OUTDATE = "UPDATE dialogs SET version = version + 1 WHERE user_id = $1 "
  .. "AND lease_owner IS NULL"

local function statements(row, user)
  if row then
    return {
      {
        UPDATE, user.id, row.updated_at, user.role, user.locale, user.name, user.attributes,
        user.updated_at, n = 7, expect = 1,
      },
      { OUTDATE, user.id },
      row.telegram_id and cluster.bump "users" or nil,
    }
  end
  return {
    {
      INSERT, user.id, user.telegram_id, user.external_id, user.role, user.locale, user.name,
      user.attributes, user.created_at, n = 8,
    },
  }
end

local function answer_of(user, created)
  local shown = {}
  for key, value in pairs(user) do shown[key] = value end
  shown.attributes = user.attributes and json.decode(user.attributes)
  shown.created_at = time.rfc3339(user.created_at)
  shown.updated_at = time.rfc3339(user.updated_at)
  return created and 201 or 200, json.encode { user = shown, created = created }
end

-- Once. `again`: somebody else has written the user in between.
local function try(deps, ctx, key)
  local row, err = deps.db:first(FIND[key], ctx.body[key])
  if err then return nil, err end
  local user = merge(row, ctx.body)
  local status, text = answer_of(user, row == nil)
  local ok
  local list = statements(row, user)
  list[#list + 1] = ctx.once and ctx.once(status, text)
  ok, err = deps.db:commit(list)
  if ok then
    if row and row.telegram_id and deps.shared:mode() ~= "sql" then
      deps.shared:delete(telegram_users.key(row.telegram_id))
    end
    return app.json(ctx, status, text)
  end
  local again = err.statement == 1 and (err.code == "conflict" or err.code == "unique")
  return nil, err, again
end

local function write(deps, ctx, key)
  local ok, err, again
  for _ = 1, TRIES do
    ok, err, again = try(deps, ctx, key)
    if not again then return ok, err end
  end
  return nil, { code = "conflict", message = "others change this user all the time: try again" }
end

local function upsert(deps, lane, ctx)
  local body = ctx.body
  local key = body.telegram_id and "telegram_id" or body.external_id and "external_id"
  if not key or (body.telegram_id and body.external_id) then
    return nil, {
      code = "validation_failed", message = "exactly one of telegram_id, external_id is needed",
    }
  end
  local place = key .. " " .. body[key]
  if not lane:enter(place, WAIT_S) then
    return nil, { code = "busy", message = "too many requests for this user at the same time" }
  end
  local good, ok, err = pcall(write, deps, ctx, key)
  lane:leave(place)
  if not good then error(ok, 0) end
  return ok, err
end

---@param router table
---@param deps {db: table}
function M.register(router, deps)
  local lane = lanes.new(LINE)
  router:add {
    method = "POST", path = "/api/v1/users", auth = "bot", scopes = { "users:write" },
    summary = "Create or update a user", request = schema.UserUpsertV1,
    response = schema.UserUpsertResponseV1, problems = { "conflict" },
    statuses = { [200] = "Updated", [201] = "Created" },
    handler = function(ctx) return upsert(deps, lane, ctx) end,
  }
end

return M
