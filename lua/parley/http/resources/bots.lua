-- /api/v1/admin/bots: the bots of Telegram of this installation.

local admin = require "parley.schema.v1alpha_admin"
local app = require "parley.http.app"
local bots = require "parley.store.bots"
local doctor = require "parley.channels.telegram.doctor"
local json = require "host.json"
local orders = require "parley.channels.telegram.orders"
local page = require "parley.http.page"
local schema = require "parley.schema.v1alpha_bots"
local transport = require "parley.channels.telegram.transport"
local words = require "parley.channels.telegram.doctor.words"

local M = {}

local PATH = "/api/v1/admin/bots"

-- Carries an order out, and keeps the answer for a repetition in its transaction.
local function order(deps, ctx, status, run, as)
  local text
  local view, err = run {
    by = "token:" .. ctx.who.id, verify = ctx.body and ctx.body.verify,
    reason = ctx.body and ctx.body.reason,
    more = function(view)
      text = json.encode(as and as(view) or view)
      return ctx.once and ctx.once(status, text)
    end,
  }
  if not view then return nil, err end
  deps.telegram:follow()
  return app.json(ctx, status, text)
end

local function create(deps, ctx)
  return order(deps, ctx, 201, function(o) return orders.add(deps.telegram.orders, ctx.body, o) end)
end

local function change(deps, ctx)
  local set = {}
  for _, key in ipairs { "token", "state", "plugins", "config" } do set[key] = ctx.body[key] end
  return order(deps, ctx, 200, function(o)
    return orders.change(deps.telegram.orders, ctx.params.bot, set, o)
  end)
end

local function turn_to(state)
  return function(deps, ctx)
    return order(deps, ctx, 200, function(o)
      return orders.change(deps.telegram.orders, ctx.params.bot, { state = state }, o)
    end)
  end
end

local function remove(deps, ctx)
  return order(deps, ctx, 200, function(o)
    return orders.remove(deps.telegram.orders, ctx.params.bot, o)
  end, function(view) return { name = view.name, removed = true } end)
end

local function set_webhook(deps, ctx)
  return order(deps, ctx, 200, function(o)
    return transport.set_webhook(deps.telegram.orders, ctx.params.bot, ctx.body, o)
  end)
end

local function delete_webhook(deps, ctx)
  return order(deps, ctx, 200, function(o)
    return transport.delete_webhook(deps.telegram.orders, ctx.params.bot,
      { drop_pending = ctx.args.drop_pending == "true" }, o)
  end)
end

local function list(deps, ctx)
  local limit = ctx.args.limit or 50
  local rows, err = bots.page(deps.db, ctx.args.cursor or "", limit + 1)
  if not rows then return nil, err end
  local next_cursor = page.cut(rows, limit, "name")
  local views = json.array()
  for _, row in ipairs(rows) do views[#views + 1] = orders.view(row, deps.telegram.fleet.vault) end
  return app.json(ctx, 200, json.encode { bots = views, next_cursor = next_cursor })
end

local function show(deps, ctx)
  local row, err = orders.find(deps.db, ctx.params.bot)
  if not row then return nil, err end
  local view = orders.view(row, deps.telegram.fleet.vault)
  if view.state == "active" then view.worker, err = orders.worker(deps.db, view.name) end
  if err then return nil, err end
  return app.json(ctx, 200, json.encode(view))
end

-- As it is in the database, not as this worker has last seen it.
local function find_bot(deps, name)
  local row, err = orders.find(deps.db, name)
  if not row then return nil, err end
  return bots.open(row, deps.telegram.fleet.vault, deps.master)
end

local function examine(deps, ctx)
  local bot, err = find_bot(deps, ctx.params.bot)
  if not bot then return nil, err end
  local config = deps.config
  local findings, well = doctor.examine {
    bot = bot, url = config.telegram.api, db = deps.db,
    certificate = config.https_listen and config.tls.certificate,
    language = words.accepted(ctx.req:header "Accept-Language"),
  }
  return app.json(ctx, 200, json.encode {
    name = bot.name, well = well, findings = json.array(findings),
  })
end

---@param router table
---@param deps table parley.core
function M.register(router, deps)
  local function add(method, path, route)
    route.method, route.path, route.auth, route.scopes = method, path, "adm", { "admin" }
    local handle = route.handler
    route.handler = function(ctx) return handle(deps, ctx) end
    router:add(route)
  end
  local cursor = page.cursor "the bots after it"
  cursor.schema = { type = "string", maxLength = 32, pattern = "^[%w_.]+$" }
  add("POST", PATH, {
    summary = "Add a bot", request = schema.BotCreateV1, response = schema.BotV1,
    statuses = { [201] = "Created" }, handler = create,
    problems = { "bot_token_refused", "conflict", "unavailable" },
  })
  add("GET", PATH, {
    summary = "List bots, without their tokens", response = schema.BotListV1,
    query = { page.limit "bots", cursor }, handler = list,
  })
  add("GET", PATH .. "/{bot}", {
    summary = "Show a bot, without its token", response = schema.BotV1,
    problems = { "bot_not_found", "conflict" }, handler = show,
  })
  add("GET", PATH .. "/{bot}/doctor", {
    summary = "Find out what is wrong with a bot, and what to do", response = schema.BotDiagnosisV1,
    problems = { "bot_not_found", "conflict" }, handler = examine,
  })
  add("PATCH", PATH .. "/{bot}", {
    summary = "Change a bot: its token, plugins, configuration", request = schema.BotChangeV1,
    response = schema.BotV1, handler = change,
    problems = { "bot_not_found", "bot_token_refused", "conflict", "unavailable" },
  })
  for action, state in pairs { pause = "paused", resume = "active" } do
    add("POST", PATH .. "/{bot}/" .. action, {
      summary = action == "pause" and "Have a bot neither get nor send anything"
        or "Let a bot go on",
      request = admin.ReasonV1, body_optional = true, response = schema.BotV1,
      problems = { "bot_not_found", "conflict" }, handler = turn_to(state),
    })
  end
  local told = {
    "bot_not_found", "bot_token_refused", "bot_webhook_refused", "conflict", "unavailable",
  }
  add("POST", PATH .. "/{bot}/webhook", {
    summary = "Have Telegram bring a bot's updates to this host", request = schema.BotWebhookV1,
    response = schema.BotV1, problems = told, handler = set_webhook,
  })
  add("DELETE", PATH .. "/{bot}/webhook", {
    summary = "Poll for a bot's updates again", response = schema.BotV1, problems = told,
    query = {
      page.word("drop_pending", "true: forget what waits at Telegram", { "true", "false" }),
    },
    handler = delete_webhook,
  })
  add("DELETE", PATH .. "/{bot}", {
    summary = "Remove a bot", response = schema.BotRemovedV1,
    problems = { "bot_not_found", "conflict" }, handler = remove,
  })
end

return M
