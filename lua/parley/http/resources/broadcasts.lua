-- /api/v1/admin/broadcasts: one message to many people.

local app = require "parley.http.app"
local broadcasts = require "parley.broadcasts"
local json = require "host.json"
local page = require "parley.http.page"
local rfc3339 = require "parley.util.rfc3339"
local schema = require "parley.schema.v1alpha_broadcasts"

local M = {}

local PATH = "/api/v1/admin/broadcasts"
local ONE = PATH .. "/{broadcast_id}"

-- Keeps the answer for a repetition in the transaction of what the request does.
local function order_of(ctx, status)
  local order = { by = "token:" .. ctx.who.id, reason = ctx.body.reason }
  function order.more(view)
    order.text = json.encode(view)
    return ctx.once and ctx.once(status, order.text)
  end
  return order
end

local function create(core, ctx)
  local body = ctx.body
  body.bot, body.locale = body.bot or "main", body.locale or core.config.locale
  local ok, err = broadcasts.check_bot(core.db, body.bot)
  if not ok then return nil, err end
  local order = order_of(ctx, 201)
  local view
  view, err = broadcasts.create(core.db, body, order)
  if not view then return nil, err end
  return app.json(ctx, 201, order.text)
end

local function list(core, ctx)
  local limit = ctx.args.limit or 50
  local rows, err = broadcasts.list(core.db, ctx.args.cursor, limit + 1)
  if not rows then return nil, err end
  local next_cursor = page.cut(rows, limit, "id")
  local views = json.array()
  for i, b in ipairs(rows) do views[i] = broadcasts.view(b) end
  return app.json(ctx, 200, json.encode { broadcasts = views, next_cursor = next_cursor })
end

local function show(core, ctx)
  local b, err = broadcasts.get(core.db, ctx.params.broadcast_id)
  if not b then return nil, err end
  return app.json(ctx, 200, json.encode(broadcasts.view(b)))
end

local function report(core, ctx)
  local found, err = broadcasts.report(core.db, ctx.params.broadcast_id)
  if not found then return nil, err end
  json.array(found.reasons)
  return app.json(ctx, 200, json.encode(found))
end

local function results(core, ctx)
  local limit = ctx.args.limit or 50
  local b, err = broadcasts.get(core.db, ctx.params.broadcast_id)
  if not b then return nil, err end
  local rows
  rows, err = broadcasts.results(core.db, b.id, ctx.args.result, ctx.args.after, limit + 1)
  if not rows then return nil, err end
  local next_cursor
  if #rows > limit then
    rows[#rows] = nil
    next_cursor = rows[#rows].dialog_id
  end
  return app.json(ctx, 200, json.encode { results = json.array(rows), next_cursor = next_cursor })
end

local function decide(fn)
  return function(core, ctx)
    local order = order_of(ctx, 200)
    order.at = ctx.body.at and rfc3339.parse(ctx.body.at)
    local view, err = fn(core.db, ctx.params.broadcast_id, order)
    if not view then return nil, err end
    return app.json(ctx, 200, order.text)
  end
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  local function add(method, path, route, handle)
    route.method, route.path, route.auth, route.scopes = method, path, "adm", { "admin" }
    route.handler = function(ctx) return handle(core, ctx) end
    router:add(route)
  end
  local function order(name, summary, request)
    add("POST", ONE .. "/" .. name, {
      summary = summary, request = request, body_optional = true, response = schema.BroadcastV1,
      problems = { "broadcast_not_found", "conflict" },
    }, decide(broadcasts[name]))
  end
  add("POST", PATH, {
    summary = "Make a draft of a broadcast", request = schema.BroadcastCreateV1,
    response = schema.BroadcastV1, statuses = { [201] = "Created" },
  }, create)
  add("GET", PATH, {
    summary = "List broadcasts, newest first", response = schema.BroadcastListV1,
    query = { page.limit "broadcasts", page.cursor "older broadcasts" },
  }, list)
  add("GET", ONE, {
    summary = "Show a broadcast and how far it is", response = schema.BroadcastV1,
    problems = { "broadcast_not_found" },
  }, show)
  order("start", "Start a broadcast, now or later", schema.BroadcastStartV1)
  order("pause", "Take no further recipients for now", schema.ReasonV1)
  order("resume", "Go on with a broadcast", schema.ReasonV1)
  order("cancel", "End a broadcast for good", schema.ReasonV1)
  add("GET", ONE .. "/report", {
    summary = "Count what has become of the recipients of a broadcast",
    response = schema.BroadcastReportV1, problems = { "broadcast_not_found" },
  }, report)
  add("GET", ONE .. "/results", {
    summary = "List recipients who have not got a broadcast, or perhaps twice",
    response = schema.BroadcastResultListV1, problems = { "broadcast_not_found" },
    query = {
      page.word("result", "only these", broadcasts.RESULTS), page.limit "recipients",
      page.word("after", "next_cursor of the page before"),
    },
  }, results)
end

return M
