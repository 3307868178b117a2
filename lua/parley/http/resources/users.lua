-- /api/v1/users: create or update a user by the identity that a channel knows.

local app = require "parley.http.app"
local crypto = require "host.crypto"
local json = require "host.json"
local schema = require "parley.schema.v1alpha"
local time = require "host.time"

local M = {}

local SQL = "INSERT INTO users (id, %s, role, locale, name, attributes, created_at, updated_at) "
  .. "VALUES ($1, $2, COALESCE($3, 'user'), $4, $5, $6, $7, $7) ON CONFLICT (%s) DO UPDATE SET "
  .. "role = COALESCE($3, users.role), locale = COALESCE($4, users.locale), "
  .. "name = COALESCE($5, users.name), attributes = COALESCE($6, users.attributes), "
  .. "updated_at = $7 RETURNING *"

local UPSERT = {
  telegram_id = SQL:format("telegram_id", "telegram_id"),
  external_id = SQL:format("external_id", "external_id"),
}

local function upsert(deps, ctx)
  local body = ctx.body
  local key = body.telegram_id and "telegram_id" or body.external_id and "external_id"
  if not key or (body.telegram_id and body.external_id) then
    return nil, {
      code = "validation_failed", message = "exactly one of telegram_id, external_id is needed",
    }
  end
  local id = crypto.uuid7()
  local results, err = deps.db:commit {
    {
      UPSERT[key], id, body[key], body.role, body.locale, body.name,
      body.attributes and json.encode(body.attributes), time.now_ms(), n = 7,
    },
  }
  if not results then return nil, err end
  local row = results[1].rows[1]
  row.attributes = row.attributes and json.decode(row.attributes)
  row.created_at, row.updated_at = time.rfc3339(row.created_at), time.rfc3339(row.updated_at)
  local created = row.id == id
  local status, text = created and 201 or 200, json.encode { user = row, created = created }
  if ctx.once then
    -- After the fact: an update that a crash repeats changes nothing more.
    local ok, problem = deps.db:commit { ctx.once(status, text) }
    if not ok then return nil, problem end
  end
  return app.json(ctx, status, text)
end

function M.register(router, deps)
  router:add {
    method = "POST", path = "/api/v1/users", auth = "bot", scopes = { "users:write" },
    summary = "Create or update a user", request = schema.UserUpsertV1,
    response = schema.UserUpsertResponseV1,
    statuses = { [200] = "Updated", [201] = "Created" },
    handler = function(ctx) return upsert(deps, ctx) end,
  }
end

return M
