-- /api/v1/admin/dead-letters: look at what was given up, try it again, throw it away.

local admin = require "parley.schema.v1alpha_admin"
local app = require "parley.http.app"
local dead_letters = require "parley.store.dead_letters"
local json = require "host.json"
local page = require "parley.http.page"
local rfc3339 = require "parley.util.rfc3339"
local schema = require "parley.schema.v1alpha_dead_letters"

local M = {}

local PATH = "/api/v1/admin/dead-letters"

local function by(ctx) return "token:" .. ctx.who.id end

local function list(deps, ctx)
  local a = ctx.args
  local rows, more = dead_letters.page(deps.db, {
    limit = a.limit, cursor = a.cursor, kind = a.kind,
  })
  if not rows then return nil, more end
  local views = json.array()
  for i, row in ipairs(rows) do views[i] = dead_letters.view(row) end
  return app.json(ctx, 200, json.encode { dead_letters = views, next_cursor = more })
end

local function show(deps, ctx)
  local row, err = dead_letters.get(deps.db, ctx.params.letter_id)
  if not row then return nil, err end
  return app.json(ctx, 200, json.encode(dead_letters.view(row)))
end

local function replay(deps, ctx)
  local id = ctx.params.letter_id
  local answer = json.encode { id = id, replayed = true }
  local row, err = dead_letters.replay(deps.db, id, {
    by = by(ctx), reason = ctx.body.reason, more = ctx.once and ctx.once(200, answer),
  })
  if not row then return nil, err end
  return app.json(ctx, 200, answer)
end

local function purge(deps, ctx)
  local row, err = dead_letters.purge(deps.db, ctx.params.letter_id, by(ctx))
  if not row then return nil, err end
  return app.json(ctx, 200, json.encode { id = row.id, purged = true })
end

local function purge_all(deps, ctx)
  local before = ctx.body.before and rfc3339.parse(ctx.body.before)
  local function once(n) return ctx.once and ctx.once(200, json.encode { purged = n }) end
  local n, err = dead_letters.purge_all(deps.db, { kind = ctx.body.kind, before = before }, by(ctx),
    once)
  if not n then return nil, err end
  return app.json(ctx, 200, json.encode { purged = n })
end

---@param router table
---@param deps {db: table}
function M.register(router, deps)
  local function add(method, path, route)
    route.method, route.path, route.auth, route.scopes = method, path, "adm", { "admin" }
    local handle = route.handler
    route.handler = function(ctx) return handle(deps, ctx) end
    router:add(route)
  end
  add("GET", PATH, {
    summary = "List dead letters, newest first", response = schema.DeadLetterListV1, handler = list,
    query = {
      page.limit "dead letters", page.cursor "older dead letters",
      page.word("kind", "only these", dead_letters.KINDS),
    },
  })
  add("POST", PATH .. "/purge", {
    summary = "Throw away all dead letters, those of a kind, or old ones",
    request = schema.DeadLetterPurgeV1, response = schema.DeadLettersPurgedV1,
    problems = { "conflict" }, handler = purge_all,
  })
  add("GET", PATH .. "/{letter_id}", {
    summary = "Show a dead letter", response = schema.DeadLetterV1,
    problems = { "dead_letter_not_found" }, handler = show,
  })
  add("POST", PATH .. "/{letter_id}/replay", {
    summary = "Try again what was given up, once", request = admin.ReasonV1, body_optional = true,
    response = schema.DeadLetterGoneV1, handler = replay,
    problems = { "dead_letter_not_found", "conflict" },
  })
  add("DELETE", PATH .. "/{letter_id}", {
    summary = "Throw a dead letter away", response = schema.DeadLetterGoneV1,
    problems = { "dead_letter_not_found" }, handler = purge,
  })
end

return M
