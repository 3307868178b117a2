-- How PostgreSQL runs what the platform asks of it: no statement reads the whole of a table that grows. The
-- statements are those that the platform makes while the specs below run; the plans are those that serve any
-- parameters, on tables with many rows.

local drivers = require "spec.support.drivers"
local fs = require "host.fs"
local json = require "host.json"
local migrate = require "parley.store.migrate"
local programs = require "spec.support.process"
local store = require "parley.store"
local task = require "host.task"
local temporary = require "parley.util.temporary"

-- Together they make nearly every kind of statement.
local SPECS = {
  "spec/channels/broadcasts_spec.lua", "spec/channels/business_spec.lua", "spec/channels/sender_spec.lua",
  "spec/channels/telegram_spec.lua",
  "spec/contract/dead_letters_spec.lua", "spec/contract/admin_spec.lua",
  "spec/contract/endpoints_spec.lua", "spec/contract/events_spec.lua", "spec/contract/every_spec.lua",
  "spec/contract/invoke_action_spec.lua", "spec/contract/jobs_spec.lua", "spec/contract/plugin_events_spec.lua",
  "spec/contract/expiry_spec.lua", "spec/contract/locale_spec.lua", "spec/contract/send_spec.lua",
  "spec/contract/services_spec.lua", "spec/contract/session_spec.lua", "spec/contract/shared_spec.lua",
  "spec/contract/taken_back_spec.lua",
  "spec/http/pages_spec.lua", "spec/http/ops_spec.lua", "spec/storage/feed_spec.lua", "spec/storage/limits_spec.lua",
  "spec/storage/unfinished_spec.lua",
}

local AT_ONCE = 3

-- Specs that make these start programs of their own.
local MORE = {
  "DELETE FROM continuations WHERE token_hash = $1",
  "DELETE FROM idempotency WHERE scope = $1 AND key = $2",
  "DELETE FROM inbox WHERE source = $1 AND key = $2 AND state = 'done'",
  "DELETE FROM outbox WHERE id = $1", "DELETE FROM callbacks WHERE id = $1",
  "SELECT id FROM outbox WHERE done_at < $1 AND id > $3 ORDER BY id LIMIT $2",
  "SELECT id FROM callbacks WHERE created_at < $1 AND id > $3 ORDER BY id LIMIT $2",
  "DELETE FROM rates WHERE key = $1 AND window_start = $2",
  "DELETE FROM streams WHERE id IN ($1, $2, $3)",
  "SELECT id, stream, payload FROM streams ORDER BY id LIMIT 200",
  "UPDATE continuations SET done_at = $2 WHERE token_hash = $1 AND done_at IS NULL",
  "UPDATE audit_logs SET signal = NULL WHERE id = $1 AND signal = 1",
  "UPDATE rates SET used = used - $3 WHERE key = $1 AND window_start = $2 AND used >= $3",
  "UPDATE users SET role = $3, locale = $4, name = $5, attributes = $6, updated_at = $7 "
    .. "WHERE id = $1 AND updated_at = $2",
  "SELECT scope, key FROM idempotency WHERE created_at < $1 AND (scope, key) > ($3, $4) ORDER BY scope, key LIMIT $2",
  "SELECT source, key FROM inbox WHERE state = 'done' AND received_at < $1 AND (source, key) > ($3, $4) "
    .. "ORDER BY source, key LIMIT $2",
  "SELECT token_hash FROM continuations WHERE expires_at < $1 AND token_hash > $3 ORDER BY token_hash LIMIT $2",
  "SELECT plugin, scope, key FROM kv WHERE expires_at < $1 AND (plugin, scope, key) > ($3, $4, $5) "
    .. "ORDER BY plugin, scope, key LIMIT $2",
  "SELECT plugin, user_id FROM sessions WHERE expires_at < $1 AND (plugin, user_id) > ($3, $4) "
    .. "ORDER BY plugin, user_id LIMIT $2",
  "SELECT key, window_start FROM rates WHERE window_start < $1 AND key > $3 ORDER BY key LIMIT $2",
  "SELECT key, expires_at FROM keys WHERE expires_at < $1 AND key > $3 ORDER BY key LIMIT $2",
  "SELECT d.id, d.reset_version, u.locale FROM users u JOIN dialogs d ON d.user_id = u.id WHERE u.role = 'admin' "
    .. "AND d.status <> 'closed' ORDER BY d.last_message_at DESC LIMIT $1",
  "SELECT 1 AS x FROM messages WHERE dialog_id = $1 AND id > $2 AND sender_type = 'operator' LIMIT 1",
  "UPDATE dialogs SET lease_owner = $1 WHERE lease_owner = $2",
  "UPDATE inbox SET owner = $1, attempts = attempts + 1 WHERE state = 'open' AND owner = $2 RETURNING source, key",
  "UPDATE inbox SET state = 'failed', payload = NULL WHERE source = $1 AND key = $2 AND state = 'open'",
}

-- Tables with a row for each plugin, instance, lease or setting stay small.
local ROWS = 20000
local GROWING = {
  users = [[INSERT INTO users (id, telegram_id, external_id, role, created_at, updated_at)
    SELECT 'u' || n, n, 'e' || n, CASE n % 5000 WHEN 0 THEN 'admin' ELSE 'user' END, n, n]],
  dialogs = [[INSERT INTO dialogs (id, user_id, channel, version, created_at, last_message_at, lease_owner)
    SELECT 'd' || n, 'u' || n, 'api', 1, n, n, CASE n % 5000 WHEN 0 THEN 'w' || n END]],
  messages = [[INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, trace_id, created_at)
    SELECT 'd' || n % 1000, 'm' || n, 0, 'user', '{}', 't' || n, n]],
  inbox = [[INSERT INTO inbox (source, key, dialog_id, state, body_hash, trace_id, received_at, owner)
    SELECT 'dialog:d' || n % 1000, 'k' || n, 'd' || n % 1000, CASE n % 5000 WHEN 0 THEN 'open' ELSE 'done' END, 'h',
      't' || n, n, 'w' || n]],
  plugin_calls = [[INSERT INTO plugin_calls
      (id, plugin_id, dialog_id, attempt, status, latency_ms, trace_id, started_at, finished_at)
    SELECT 'c' || n, 'p' || n % 10, 'd' || n % 1000, 1, 'ok', 1, 't' || n, n, n]],
  plugin_events = [[INSERT INTO plugin_events (id, plugin_id, event_type, severity, trace_id, occurred_at)
    SELECT 'e' || n, 'p' || n % 10, 'x', 'info', 't' || n, n]],
  audit_logs = [[INSERT INTO audit_logs (id, source, action, severity, trace_id, created_at, signal)
    SELECT 'a' || n, 'p' || n % 10, 'x', 'info', 't' || n, n, CASE n % 5000 WHEN 0 THEN 1 END]],
  outbox = [[INSERT INTO outbox (id, sender, dialog_id, lane, method, params, state, trace_id, created_at, done_at)
    SELECT 'o' || n, 'tg:b' || n % 10, 'd' || n % 1000, 'reply', 'm', '{}',
      CASE n % 5000 WHEN 0 THEN 'open' ELSE 'sent' END, 't', n, CASE n % 5000 WHEN 0 THEN NULL ELSE n END]],
  callbacks = [[INSERT INTO callbacks (id, dialog_id, plugin, data, created_at)
    SELECT 'c' || n, 'd' || n % 1000, 'p', '{}', n]],
  chats = [[INSERT INTO chats (sender, chat_id, state, changed_at) SELECT 'tg:b', n, 'blocked', n]],
  broadcast_recipients = [[INSERT INTO broadcast_recipients (broadcast_id, dialog_id) SELECT 'b' || n % 10, 'd' || n]],
  broadcast_results = [[INSERT INTO broadcast_results (broadcast_id, dialog_id, result, code, at)
    SELECT 'b' || n % 10, 'd' || n, 'blocked', 'forbidden', n]],
  dead_letters = [[INSERT INTO dead_letters (id, source, payload, error, attempts, trace_id, created_at)
    SELECT 'l' || n, 's', '{}', 'e', 1, 't', n]],
  jobs = [[INSERT INTO jobs (id, plugin, job, dialog_id, run_at, state, trace_id, created_at)
    SELECT 'j' || n, 'p', 'x', 'd' || n % 1000, n, CASE n % 5000 WHEN 0 THEN 'open' ELSE 'done' END, 't', n]],
  idempotency = [[INSERT INTO idempotency (scope, key, body_hash, status, response, created_at)
    SELECT 's' || n % 10, 'k' || n, 'h', 200, '{}', n]],
  kv = [[INSERT INTO kv (plugin, scope, key, value, expires_at)
    SELECT 'p' || n % 50, 's' || n, 'k', '1', CASE n % 2 WHEN 0 THEN n END]],
  sessions = [[INSERT INTO sessions (plugin, user_id, state, version, expires_at)
    SELECT 'p' || n % 10, 'u' || n, '{}', 1, CASE n % 2 WHEN 0 THEN n END]],
  streams = [[INSERT INTO streams (stream, payload, created_at) SELECT 's', '{}', n]],
  rates = [[INSERT INTO rates (key, window_start, used) SELECT 'k' || n, n, 1]],
  keys = [[INSERT INTO keys (key, value, expires_at) SELECT 'k' || n, '1', n]],
  continuations = [[INSERT INTO continuations
      (token_hash, plugin, dialog_id, invocation_id, reset_version, trace_id, expires_at, done_at)
    SELECT 'h' || n, 'p', 'd' || n % 1000, 'i' || n, 0, 't', n, CASE n % 5000 WHEN 0 THEN NULL ELSE n END]],
  tokens = [[INSERT INTO tokens (id, kind, scopes, hash, created_at) SELECT 'b' || n, 'bot', '[]', 'h', n]],
}

-- What reads everything, and why it may.
local WHOLE = {
  ["SELECT * FROM tokens ORDER BY created_at, id LIMIT 10000"] = "`parley token list`, by a person",
  ["SELECT count(*) AS n FROM dead_letters WHERE id < $1"] = "`parley dlq purge`, by a person",
  ["DELETE FROM dead_letters WHERE id < $1"] = "`parley dlq purge`, by a person",
}

-- Whether the spec is content is its own matter.
local function record(spec)
  local file = assert(temporary.folder()) .. "/statements"
  programs.run({ programs.EXE, "busted", "--helper=spec/support/statements.lua", spec }, {
    env = { PARLEY_SPEC_STATEMENTS = file }, stdout = "null", stderr = "null", seconds = 200,
  })
  return fs.read(file)
end

local function collect()
  local all, list, hs, at = {}, {}, {}, 0
  for i = 1, AT_ONCE do
    hs[i] = task.spawn(function()
      while at < #SPECS do
        at = at + 1
        for line in assert(record(SPECS[at])):gmatch "[^\n]+" do all[json.decode(line)] = true end
      end
    end)
  end
  for _, h in ipairs(hs) do assert(h:join()) end
  for _, sql in ipairs(MORE) do all[sql] = true end
  for sql in pairs(all) do list[#list + 1] = sql end
  table.sort(list)
  return list
end

local function sources(dir, out)
  for _, name in ipairs(assert(fs.list(dir))) do
    local path = dir .. "/" .. name
    if name:find "%.lua$" then out[path] = fs.read(path) elseif not name:find "%." then sources(path, out) end
  end
  return out
end

-- "UPDATE dialogs" for each table that grows and each verb that stands before it in the text. An INSERT looks for
-- nothing but its own key.
local function kinds(text, out)
  local verbs = { UPDATE = "UPDATE (%w[%w_]*) SET", DELETE = "DELETE FROM (%w[%w_]*)", SELECT = "[^E] FROM (%w[%w_]*)" }
  for verb, pattern in pairs(verbs) do
    for name in text:gmatch(pattern) do
      if GROWING[name] then out[verb .. " " .. name] = true end
    end
  end
  return out
end

-- The statement may be one that PostgreSQL is given in another form: what runs is what is explained.
local function plan(sql)
  local n = 0
  for number in sql:gmatch "%$(%d+)" do n = math.max(n, tonumber(number)) end
  local nulls = {}
  for i = 1, n do nulls[i] = "NULL" end
  local call = n > 0 and "(" .. table.concat(nulls, ", ") .. ")" or ""
  return ("PREPARE s AS %s;\nEXPLAIN (COSTS OFF) EXECUTE s%s;\nDEALLOCATE s;\n"):format(sql, call)
end

describe("PostgreSQL", function()
  local place, statements, plans

  setup(function()
    statements = collect()
    place = drivers.postgres.place()
    local db = drivers.postgres.open(place)
    assert(migrate.to(db, assert(store.migrations(db))))
    for _, insert in pairs(GROWING) do
      assert(db:script(insert .. " FROM generate_series(1, " .. ROWS .. ") AS n"))
    end
    db:close()
    local script = { "SET plan_cache_mode = force_generic_plan; ANALYZE;\n" }
    for i, sql in ipairs(statements) do script[#script + 1] = ("\\echo #%d\n%s"):format(i, plan(sql)) end
    local file = assert(temporary.folder()) .. "/plans.sql"
    assert(fs.write(file, table.concat(script)))
    local r = programs.run { "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", file, place }
    assert(r.code == 0, r.err)
    plans = {}
    for i, text in r.out:gmatch "#(%d+)\n([^#]*)" do plans[statements[tonumber(i)]] = text end
  end)

  it("is asked in the specs above for all that the platform can ask of tables that grow", function()
    local seen, missing = {}, {}
    for _, sql in ipairs(statements) do kinds(" " .. sql, seen) end
    for path, text in pairs(sources("lua/parley", {})) do
      if not path:find "/cli/" and not path:find "/testkit" then
        for kind in pairs(kinds(text, {})) do
          if not seen[kind] then missing[#missing + 1] = kind .. ", in " .. path end
        end
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("reads no table that grows from end to end", function()
    local whole = {}
    for _, sql in ipairs(statements) do
      local text = assert(plans[sql], sql)
      for name in text:gmatch "Seq Scan on (%w[%w_]*)" do
        if GROWING[name] and not WHOLE[sql] then whole[#whole + 1] = name .. ": " .. sql .. "\n" .. text end
      end
    end
    assert.equal("", table.concat(whole, "\n"))
  end)

  it("would be seen to read one", function()
    local r = programs.run { "psql", "-qAtX", place, "-c", "EXPLAIN (COSTS OFF) SELECT 1 FROM users WHERE name = 'x'" }
    assert.matches("Seq Scan on users", r.out)
  end)
end)
