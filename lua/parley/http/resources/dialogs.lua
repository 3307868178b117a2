-- /api/v1/dialogs: messages in, reset, snapshot.

local app = require "parley.http.app"
local audit = require "parley.store.audit"
local chats = require "parley.channels.telegram.sending.chats"
local crypto = require "host.crypto"
local json = require "host.json"
local page = require "parley.http.page"
local reach = require "parley.turn.reach"
local record = require "parley.turn.record"
local say = require "parley.turn.say"
local schema = require "parley.schema.v1alpha"
local session = require "parley.turn.session"
local task = require "host.task"
local time = require "host.time"

local M = {}

local HELD_S = 0.1 -- between two looks whether a dialog is free

local function check_id(id)
  if #id <= 64 and id:find "^[%w._:%-]+$" then return true end
  return nil, {
    code = "invalid_dialog_id", message = "a dialog id has 1 to 64 characters of A-Za-z0-9._:-",
  }
end

local function check_message(m)
  local u = m.user
  if not (u.id or u.telegram_id or u.external_id) then
    return nil, {
      code = "validation_failed", message = "/user: one of id, telegram_id, external_id is needed",
      errors = {
        { path = "/user", code = "required", message = "id, telegram_id or external_id" },
      },
    }
  end
  if (m.type == "text" or m.type == "command") and (m.text == nil or m.text == "") then
    return nil, {
      code = "validation_failed", message = "/text: is missing",
      errors = { { path = "/text", code = "required", message = "is missing" } },
    }
  end
  return true
end

local function post_message(deps, ctx)
  local ok, err = check_id(ctx.params.dialog_id)
  if ok then ok, err = check_message(ctx.body) end
  if not ok then return nil, err end
  if ctx.refused and not (ctx.body.message_id or ctx.idempotency_key) then
    return nil, ctx.refused
  end
  local turn
  turn, err = deps.turn:receive(ctx.params.dialog_id, ctx.body, {
    trace_id = ctx.trace_id, body = ctx.body_text, text = ctx.body_text, token_id = ctx.who.id,
    idempotency_key = ctx.idempotency_key, once = ctx.once, verdicts = ctx.verdicts,
    refused = ctx.refused,
  })
  if not turn then return nil, err end
  return app.json(ctx, 200, turn.response_text,
    turn.replayed and "Idempotency-Replayed: true\r\n" or nil)
end

local function send(deps, ctx, id)
  local body = ctx.body
  local ok, err = check_id(id)
  if not ok then return nil, err end
  local problem = say.problem(body.actions)
  if problem then return nil, { code = "validation_failed", message = problem } end
  local closed
  closed, err = chats.closed(deps.db, id)
  if err then return nil, err end
  if closed then
    return nil, { code = "recipient_blocked", message = "the chat of the user is " .. closed }
  end
  local turn
  turn, err = deps.turn:say(id, {
    actions = body.actions, lane = body.lane or "operator", as = "operator",
    source = "token:" .. ctx.who.id,
  }, { trace_id = ctx.trace_id, once = ctx.once })
  if turn then return app.json(ctx, 200, turn.response_text) end
  if err.code == "not_found" then
    err = { code = "dialog_not_found", message = "no dialog '" .. id .. "'" }
  end
  return nil, err
end

local function send_to_user(deps, ctx)
  local id, err = reach.dialog(deps.db, ctx.params.user_id, { bot = ctx.args.bot })
  if id then return send(deps, ctx, id) end
  if err.code == "no_dialog" then err.code = "dialog_not_found" end
  return nil, err
end

local VERSION = -1 -- stands in the stored answer until the transaction knows the number

local function reset_answer(ctx, id, version, since)
  return json.encode {
    dialog_id = id, message_id = ctx.params.answer_id, status = "reset", reset_version = version,
    actions = json.array(), trace_id = ctx.trace_id,
    latency_ms = { total = record.ms_since(since), plugin = 0 },
  }
end

-- The stored answer gets the number that the reset has made, in the same transaction.
local function with_version(statement, id)
  statement[1] = statement[1]:gsub("%$5", "replace($5, '\"reset_version\":" .. VERSION
    .. "', '\"reset_version\":' || (SELECT reset_version FROM dialogs WHERE id = $7))")
  statement[8], statement.n = id, 7
  return statement
end

-- Waits for a turn that is seen outside, also for one of another worker: stored later, it would
-- bring back what was forgotten.
local function commit_reset(deps, id, statements)
  local seconds = deps.config.turn_timeout_seconds
  local deadline = time.mono() + seconds
  repeat
    local results, row
    local ok, err = deps.lanes:enter(id, seconds)
    if not ok then return nil, { code = "dialog_busy", message = err.message } end
    results, err = deps.db:commit(statements)
    deps.lanes:leave(id)
    if results or err.code ~= "conflict" then return results, err end
    row, err = deps.db:first("SELECT version FROM dialogs WHERE id = $1", id)
    if err then return nil, err end
    if not row then
      return nil, { code = "dialog_not_found", message = "no dialog '" .. id .. "'" }
    end
    task.sleep(HELD_S)
  until time.mono() > deadline
  return nil, { code = "dialog_busy", message = "a turn of this dialog is under way" }
end

local function reset(deps, ctx)
  local id = ctx.params.dialog_id
  local ok, err = check_id(id)
  if not ok then return nil, err end
  local since = time.mono()
  ctx.params.answer_id = crypto.uuid7()
  local event = {
    crypto.uuid7(), "core", "dialog_reset", "info", ctx.trace_id,
    json.encode { dialog_id = id, reason = ctx.body.reason }, time.now_ms(),
  }
  local statements = {
    {
      "UPDATE dialogs SET reset_version = reset_version + 1, state = NULL, expires_at = NULL, "
        .. "version = version + 1, status = 'active' WHERE id = $1 AND lease_owner IS NULL "
        .. "RETURNING reset_version, version", id, expect = 1,
    },
    audit.rows { event },
  }
  if ctx.once then
    statements[3] = with_version(ctx.once(200, reset_answer(ctx, id, VERSION, since)), id)
  end
  statements[#statements + 1] = deps.shared:events { event }
  local results
  results, err = commit_reset(deps, id, statements)
  if not results then return nil, err end
  local dialog = results[1].rows[1]
  deps.recall:forget(id)
  deps.shared:stored({
    id = id, reset_version = dialog.reset_version, status = "active", state = {},
  }, dialog.version)
  return app.json(ctx, 200, reset_answer(ctx, id, dialog.reset_version, since))
end

local function snapshot(deps, ctx)
  local id = ctx.params.dialog_id
  local ok, err = check_id(id)
  if not ok then return nil, err end
  local limit = ctx.args.limit or 50
  local d
  d, err = deps.db:first("SELECT d.*, u.telegram_id, u.external_id, u.role, u.name, "
    .. "COALESCE(u.chosen_locale, u.locale) AS user_locale FROM dialogs d "
    .. "JOIN users u ON u.id = d.user_id WHERE d.id = $1", id)
  if err then return nil, err end
  if not d then return nil, { code = "dialog_not_found", message = "no dialog '" .. id .. "'" } end
  -- Newest first out of the index, one more than asked for to know whether there are older ones.
  local rows
  rows, err = deps.db:query("SELECT id, sender_type, payload, trace_id, created_at FROM messages "
    .. "WHERE dialog_id = $1 AND id < $2 AND reset_version = $3 ORDER BY id DESC LIMIT $4",
    id, ctx.args.cursor or "~", d.reset_version, limit + 1)
  if not rows then return nil, err end
  local next_cursor = page.cut(rows, limit, "id")
  local state = d.state and json.decode(d.state) or {}
  session.expire(state)
  local messages = json.array()
  for i = #rows, 1, -1 do
    local row = rows[i]
    messages[#messages + 1] = {
      id = row.id, sender_type = row.sender_type, payload = json.decode(row.payload),
      trace_id = row.trace_id, created_at = time.rfc3339(row.created_at),
    }
  end
  return app.json(ctx, 200, json.encode {
    dialog = {
      id = id, channel = d.channel, status = d.status, reset_version = d.reset_version,
      created_at = time.rfc3339(d.created_at), last_message_at = time.rfc3339(d.last_message_at),
      state = state,
      user = {
        id = d.user_id, telegram_id = d.telegram_id, external_id = d.external_id, role = d.role,
        name = d.name, locale = d.user_locale,
      },
    },
    messages = messages, next_cursor = next_cursor,
  })
end

---@param router table
---@param deps {turn: table, lanes: table, db: table, config: table}
function M.register(router, deps)
  router:add {
    method = "POST", path = "/api/v1/dialogs/{dialog_id}/messages", auth = "bot",
    scopes = { "dialogs:write" }, summary = "Add a user message, answer with the reply",
    request = schema.DialogMessageCreateV1, response = schema.DialogMessageResponseV1,
    statuses = { [200] = "The reply; Idempotency-Replayed: true when it was given before" },
    problems = {
      "invalid_dialog_id", "user_not_found", "message_failed", "conflict", "dialog_busy",
    },
    repeatable = true, handler = function(ctx) return post_message(deps, ctx) end,
  }
  router:add {
    method = "POST", path = "/api/v1/dialogs/{dialog_id}/send", auth = "bot",
    scopes = { "dialogs:write" }, summary = "Say something in a dialog that nobody there asked for",
    request = schema.DialogSendV1, response = schema.DialogSendResponseV1,
    problems = { "invalid_dialog_id", "dialog_not_found", "dialog_busy", "recipient_blocked" },
    handler = function(ctx) return send(deps, ctx, ctx.params.dialog_id) end,
  }
  router:add {
    method = "POST", path = "/api/v1/users/{user_id}/send", auth = "bot",
    scopes = { "dialogs:write" },
    summary = "Say something to a user, in the newest of their dialogs",
    request = schema.DialogSendV1, response = schema.DialogSendResponseV1,
    query = { page.word("bot", "in their dialog with this bot of Telegram") },
    problems = {
      "user_not_found", "dialog_not_found", "dialog_busy", "recipient_blocked",
      "invalid_dialog_id",
    },
    handler = function(ctx) return send_to_user(deps, ctx) end,
  }
  router:add {
    method = "POST", path = "/api/v1/dialogs/{dialog_id}/reset", auth = "bot",
    scopes = { "dialogs:write" }, summary = "Clear the context of a dialog",
    request = schema.DialogResetRequestV1, body_optional = true,
    response = schema.DialogMessageResponseV1,
    problems = { "invalid_dialog_id", "dialog_not_found", "dialog_busy" },
    handler = function(ctx) return reset(deps, ctx) end,
  }
  router:add {
    method = "GET", path = "/api/v1/dialogs/{dialog_id}", auth = "bot",
    scopes = { "dialogs:read" }, summary = "Status and history of a dialog",
    response = schema.DialogSnapshotResponseV1,
    query = { page.limit "messages", page.cursor "older messages" },
    problems = { "invalid_dialog_id", "dialog_not_found" },
    handler = function(ctx) return snapshot(deps, ctx) end,
  }
end

return M
