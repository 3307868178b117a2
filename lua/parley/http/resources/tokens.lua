-- /api/v1/admin/tokens: make, list, revoke, and change the secret of one without a pause.

local app = require "parley.http.app"
local cluster = require "parley.cluster"
local audit = require "parley.store.audit"
local issue = require "parley.auth.issue"
local json = require "host.json"
local page = require "parley.http.page"
local rfc3339 = require "parley.util.rfc3339"
local schema = require "parley.schema.v1alpha_admin"
local time = require "host.time"
local tokens = require "parley.store.tokens"

local M = {}

local PATH = "/api/v1/admin/tokens"
local GRACE_S = 86400

local function note(ctx, action, row)
  return audit.insert {
    source = "token:" .. ctx.who.id, action = action, severity = "info",
    details = { token_id = row.id, kind = row.kind, scopes = row.scopes, label = row.label },
  }
end

local function not_found(id)
  return nil, { code = "token_not_found", message = "no token '" .. id:sub(1, 40) .. "'" }
end

local function find(deps, id)
  if not id:find "^%w+$" or #id > 40 then return not_found(id) end
  local row, err = tokens.get(deps.db, id)
  if err then return nil, err end
  if not row then return not_found(id) end
  return row
end

-- Commits, and answers with a view and, this once, the secret. What is kept for a repetition does
-- not have it: nothing at rest does.
local function hand_out(deps, ctx, status, view, secret, statements)
  if ctx.once then statements[#statements + 1] = ctx.once(status, json.encode(view)) end
  local ok, err = deps.db:commit(statements)
  if not ok then return nil, err end
  view.token = secret
  return app.json(ctx, status, json.encode(view))
end

local function create(deps, ctx)
  local body = ctx.body
  local expires_at
  if body.expires_at then
    expires_at = rfc3339.parse(body.expires_at)
    if not expires_at or expires_at <= time.now_ms() then
      local message = "a time in the future expected"
      return nil, {
        code = "validation_failed", message = "/expires_at: " .. message,
        errors = { { path = "/expires_at", code = "range", message = message } },
      }
    end
  end
  local row = {
    kind = body.kind, scopes = body.scopes, label = body.label, expires_at = expires_at,
    created_at = time.now_ms(),
  }
  local made, err = issue.make(row)
  if not made then return nil, err end
  row.id = made.id
  return hand_out(deps, ctx, 201, tokens.view(row), made.text,
    { made.statement, note(ctx, "token_created", row) })
end

local function list(deps, ctx)
  local limit = ctx.args.limit or 50
  local rows, err = tokens.page(deps.db, ctx.args.cursor or "", limit + 1)
  if not rows then return nil, err end
  local next_cursor = page.cut(rows, limit, "id")
  local views = json.array()
  for i, row in ipairs(rows) do views[i] = tokens.view(row) end
  return app.json(ctx, 200, json.encode { tokens = views, next_cursor = next_cursor })
end

local function show(deps, ctx)
  local row, err = find(deps, ctx.params.token_id)
  if not row then return nil, err end
  return app.json(ctx, 200, json.encode(tokens.view(row)))
end

local function revoke(deps, ctx)
  local row, err = find(deps, ctx.params.token_id)
  if not row then return nil, err end
  if not row.revoked_at then
    local ok
    ok, err = deps.db:commit {
      tokens.revoke(row.id), note(ctx, "token_revoked", row), cluster.bump "tokens",
    }
    if not ok then return nil, err end
    row.revoked_at = time.now_ms()
  end
  deps.verify:forget(row.id)
  return app.json(ctx, 200, json.encode(tokens.view(row)))
end

local function rotate(deps, ctx)
  local row, err = find(deps, ctx.params.token_id)
  if not row then return nil, err end
  local state = tokens.state(row)
  if state ~= "active" then
    return nil, {
      code = state == "revoked" and "token_revoked" or "token_expired",
      message = ("the token is %s and stays so: make another"):format(state),
    }
  end
  row.old_until = time.now_ms() + (ctx.body.grace_seconds or GRACE_S) * 1000
  local made
  made, err = issue.renew(row, row.old_until)
  if not made then return nil, err end
  local ok
  ok, err = hand_out(deps, ctx, 200, tokens.view(row), made.text,
    { made.statement, note(ctx, "token_rotated", row), cluster.bump "tokens" })
  if ok then deps.verify:forget(row.id) end
  return ok, err
end

---@param router table
---@param deps {db: table, verify: table}
function M.register(router, deps)
  local function add(method, path, route)
    route.method, route.path, route.auth, route.scopes = method, path, "adm", { "admin" }
    local handle = route.handler
    route.handler = function(ctx) return handle(deps, ctx) end
    router:add(route)
  end
  add("POST", PATH, {
    summary = "Make a token", request = schema.TokenCreateV1, response = schema.TokenSecretV1,
    statuses = { [201] = "Created" }, handler = create,
  })
  add("GET", PATH, {
    summary = "List tokens, without their secrets", response = schema.TokenListV1,
    query = { page.limit "tokens", page.cursor "the tokens after it" }, handler = list,
  })
  add("GET", PATH .. "/{token_id}", {
    summary = "Show a token, without its secret", response = schema.TokenV1,
    problems = { "token_not_found" }, handler = show,
  })
  add("DELETE", PATH .. "/{token_id}", {
    summary = "Revoke a token", response = schema.TokenV1, problems = { "token_not_found" },
    handler = revoke,
  })
  add("POST", PATH .. "/{token_id}/rotate", {
    summary = "Give a token another secret", request = schema.TokenRotateV1, body_optional = true,
    response = schema.TokenSecretV1,
    problems = { "token_not_found", "token_revoked", "token_expired", "conflict" },
    handler = rotate,
  })
end

return M
