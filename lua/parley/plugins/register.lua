-- A REST plugin registers: checked, stored, in service.
--
-- The same manifest again changes nothing, another one is an update. Token and signing secret are
-- given out with the first registration and when the plugin asks for others; they are not shown
-- again, because nobody here knows them any more.

local cluster = require "parley.cluster"
local endpoint = require "parley.plugins.endpoint"
local issue = require "parley.auth.issue"
local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local registered = require "parley.plugins.registered"
local registry = require "parley.plugins.registry"
local secrets = require "parley.plugins.secrets"
local tokens = require "parley.store.tokens"

local M = {}

local SCOPES = { "plugins:read", "telemetry:write" }
local ATTEMPTS = 3 -- when others register the same name at the same time

-- `limits.cpu_ms`, `intents[0].name` as a JSON Pointer into the request.
local function pointer(path)
  if path == "" then return "/manifest" end
  return "/manifest/" .. path:gsub("%[(%d+)%]", "/%1"):gsub("%.", "/")
end

local function invalid(code, problems)
  local errors = json.array()
  for i = 1, math.min(#problems, 20) do
    local p = problems[i]
    errors[i] = { path = pointer(p.path), code = p.code, message = p.message }
  end
  return nil, {
    code = code, errors = errors, message = errors[1].path .. ": " .. errors[1].message,
  }
end

local function check(core, given)
  local source = json.encode(given, { sorted = true })
  local m, hash = manifest.check(source)
  if not m then return invalid("validation_failed", hash) end
  if m.transport ~= "rest" then
    return invalid("validation_failed", { {
      path = "transport", code = "value",
      message = "only a plugin with the transport 'rest' registers",
    } })
  end
  if not core.config.allow_private_plugins then
    local ok, err = endpoint.check(m.endpoint)
    if not ok then
      return invalid("endpoint_refused",
        { { path = "endpoint", code = err.code, message = err.message } })
    end
  end
  return { manifest = m, source = source, hash = hash }
end

-- Whether it fits among the plugins that serve: nobody's name, nobody's commands, no cycle.
local function fits(core, row)
  local others = {}
  for _, p in ipairs(core.manager.current.plugins) do
    if p.name ~= row.name then
      others[#others + 1] = p
    elseif not p.registered then
      return invalid("plugin_conflict", { {
        path = "name", code = "duplicate", message = "a plugin of this name is installed",
      } })
    end
  end
  local plugin, err = registered.add(others, row, core.config, core.master)
  if not plugin then
    return invalid("plugin_conflict", err.problems or {
      { path = "", code = err.code, message = err.message },
    })
  end
  plugin.driver:close()
  return true
end

-- Token and secret: the first ones, or others. A token that was revoked stays so.
local function credentials(core, row, name)
  local t = { kind = "plg", scopes = SCOPES, label = "plugin " .. name }
  local old, made, err
  if row and row.token_id then
    old, err = tokens.get(core.db, row.token_id)
    if err then return nil, err end
  end
  if old and tokens.state(old) == "active" then
    made, err = issue.renew(old, registered.overlap_until())
  else
    made, err = issue.make(t)
  end
  if not made then return nil, err end
  made.signing_secret = secrets.signing(core.master, name, (row and row.secret_version or 0) + 1)
  return made
end

-- The row as it will be, for a try; of its secret there is nothing to try.
local function row_to_be(core, c, row)
  local name = c.manifest.name
  return setmetatable({
    id = name, name = name, manifest = c.source, manifest_hash = c.hash,
    secret_mark = secrets.mark(core.master),
  }, { __index = row or { status = "registered", secret_version = 1 } })
end

local function answer_of(c, row, status)
  return {
    plugin_id = c.manifest.name, manifest_hash = c.hash, status = status or row.status,
    heartbeat_interval_sec = c.manifest.heartbeat_interval_sec,
  }
end

-- What is to be done about a manifest that was checked: the row that there is, whether it changes,
-- and what credentials are given out.
local function plan(core, c, o)
  local name = c.manifest.name
  local row, err = registry.get(core.db, name)
  if err then return nil, err end
  local p = { row = row and row.registered and row or nil, leftover = row and not row.registered }
  p.changed = not p.row or p.row.manifest_hash ~= c.hash
  if p.changed then
    local ok
    ok, err = fits(core, row_to_be(core, c, p.row))
    if not ok then return nil, err end
  end
  if not p.row or o.rotate then
    p.made, err = credentials(core, p.row, name)
    if not p.made then return nil, err end
  end
  return p
end

local function statements_for(core, c, p, by)
  local name, made = c.manifest.name, p.made
  local out = registry.fact(core.shared, name, "plugin_registered", "info", {
    version = c.manifest.version, manifest_hash = c.hash, by = by,
    change = not p.row and "new" or p.changed and "manifest" or "credentials",
  })
  local function add(statement) out[#out + 1] = statement end
  add(cluster.bump "plugins")
  if made then
    add(made.statement)
    add(cluster.bump "tokens")
  end
  -- Of a plugin in a folder that was disabled, and is not there any more.
  if p.leftover then add(registry.enable_bundle(name)) end
  if not p.row then
    add(registry.insert(c.manifest, c.source, c.hash, made.id, secrets.mark(core.master)))
    return out
  end
  if p.changed then add(registry.change_manifest(p.row, c.manifest, c.source, c.hash)) end
  if made then
    add(registry.renew_credentials(p.row, made.id, secrets.mark(core.master)))
  end
  return out
end

local function attempt(core, c, o)
  local p, err = plan(core, c, o)
  if not p then return nil, err end
  local is_new = not p.row
  local result = { answer = answer_of(c, p.row, is_new and "registered" or nil), new = is_new }
  if not p.changed and not p.made then return result end
  local statements = statements_for(core, c, p, o.by)
  for _, s in ipairs(o.more(result)) do statements[#statements + 1] = s end
  local ok
  ok, err = core.db:commit(statements)
  if not ok then return nil, err end
  core.shared:published()
  if p.made then
    core.verify:forget(p.made.id)
    result.answer.token, result.answer.signing_secret = p.made.text, p.made.signing_secret
  end
  registry.sync(core)
  return result
end

---@class parley.RegisterOptions
---@field by string whoever asks: token:ID, or poll
---@field rotate boolean|nil another token and signing secret
---@field more fun(result: table): table[] further statements for the transaction

---Registers a plugin, changes its manifest, or finds that all is as it was.
---@param core {db: table, manager: table, config: table, verify: table, shared: table,
--- master: string}
---@param given table the manifest as it came
---@param o parley.RegisterOptions
---@return {answer: table, new: boolean|nil}|nil result `answer` is PluginRegistrationResponseV1
---@return table|nil err
function M.run(core, given, o)
  local c, err = check(core, given)
  if not c then return nil, err end
  for _ = 1, ATTEMPTS do
    local result
    result, err = attempt(core, c, o)
    if result then return result end
    if err.code ~= "conflict" and err.code ~= "unique" then break end
  end
  return nil, err
end

return M
