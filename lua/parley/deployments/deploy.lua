-- Puts a version of a plugin into service, for all dialogs or on trial for a share of them, when it
-- loads.

local bundles = require "parley.plugins.bundles"
local cluster = require "parley.cluster"
local copies = require "parley.deployments.copies"
local decide = require "parley.deployments.decide"
local json = require "host.json"
local lint = require "parley.plugins.lint"
local meters = require "parley.ops.meters"
local problems = require "parley.plugins.problems"
local registry = require "parley.plugins.registry"
local rows = require "parley.deployments.rows"
local share_of = require "parley.deployments.share"
local time = require "host.time"
local versions = require "parley.plugins.versions"
local view = require "parley.deployments.view"
local views = require "parley.deployments.views"

local M = {}

---@class parley.DeployOptions
---@field share_percent number|nil of the dialogs; nil: for all of them, at once
---@field window_seconds number|nil default 600
---@field max_window_seconds number|nil default six windows
---@field min_calls integer|nil default 100
---@field error_margin number|nil default 0.01
---@field latency_ratio number|nil default 1.5
---@field by string source of the audit row
---@field reason string|nil
---@field more (fun(answer: table): table|nil)|nil a statement for the same transaction

local WINDOW_S, WINDOWS = 600, 6

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "deployments" }
end

-- What serves now, as it is; nil: there is no plugin of the name.
local function serving(core, name)
  local plugin = core.manager.current.chooser.by_name[name]
  if plugin and plugin.registered then
    return refuse("plugin_conflict", "'%s' has registered itself: it is not deployed here", name)
  end
  return plugin or false
end

-- What stands against a canary of a plugin now.
local function check_trial(core, name, stable)
  if not stable then
    return refuse("conflict", "no version of '%s' serves that a canary could be compared with: "
      .. "deploy it for all", name)
  end
  local n = #core.manager.current.trials
  if n >= views.MAX then
    return refuse("conflict", "%d canaries run already, at most %d can at a time", n, views.MAX)
  end
  return true
end

-- The row of a deployment that is to begin.
local function row_of(core, b, stable, last, origin, o)
  if o.share then
    local ok, err = check_trial(core, b.manifest.name, stable)
    if not ok then return nil, err end
  end
  local window_s = o.window_seconds or WINDOW_S
  local max_s = o.max_window_seconds or WINDOWS * window_s
  if max_s < window_s then
    return refuse("validation_failed", "the longest window, %g s, is shorter than the window, %g s",
      max_s, window_s)
  end
  return {
    plugin = b.manifest.name, number = (last and last.number or 0) + 1,
    state = o.share and "running" or "promoted",
    stable = stable and stable.hash, stable_version = stable and stable.manifest.version,
    canary = b.hash, canary_version = b.manifest.version, origin = origin,
    stable_origin = stable and stable.origin, share = o.share or share_of.ALL,
    window_ms = math.floor(window_s * 1000),
    max_window_ms = math.floor(max_s * 1000),
    thresholds = {
      min_calls = o.min_calls or 100, error_margin = o.error_margin or 0.01,
      latency_ratio = o.latency_ratio or 1.5,
    },
    reason = o.reason, created_by = o.by, started_at = time.now_ms(),
  }
end

-- The transaction of a beginning: both bundles for all instances, the row, the pin, the fact.
local function statements_of(core, b, row, stable, o)
  local out = {}
  local function add(list) for _, s in ipairs(list) do out[#out + 1] = s end end
  local copy, err = copies.keep(b)
  if not copy then return nil, err end
  add {
    copy, rows.insert(row), cluster.bump "plugins", versions.give_again(row.plugin, row.canary),
  }
  local details = decide.details(row, { by = o.by, reason = o.reason })
  if row.state == "promoted" then
    add(decide.serve(row, o.by))
    add(registry.fact(core.shared, row.plugin, "deployment_promoted", "info", details))
    return out
  end
  copy, err = copies.keep(stable.bundle)
  if not copy then return nil, err end
  versions.note(out, stable)
  add { copy, versions.pin(row.plugin, row.stable, o.by, ("deployment %d"):format(row.number)) }
  details.share_percent = row.share / 100
  add(registry.fact(core.shared, row.plugin, "deployment_started", "info", details))
  return out
end

-- What the next generation has that differs from what the database says.
local function edit(given, b, row)
  if row.state == "running" then
    given.deployments[#given.deployments + 1] = row
    given.trials[#given.trials + 1] = { row = row, bundle = b }
    given.pins[row.plugin] = { hash = row.stable, origin = row.stable_origin }
  else
    given.pins[row.plugin] = { hash = row.canary, origin = row.origin }
  end
end

-- The code of a plugin that is disabled does not run before its first event; here it has to.
local function runs(plugin)
  if plugin.manifest.transport ~= "lua" then return true end
  local handlers, err = plugin.driver:describe()
  if handlers then return true end
  return refuse("plugin", "%s", problems.place(plugin.bundle.dir, plugin.name, err.message))
end

-- Builds the next generation with it, stores it, puts it in service: in this order, so that nothing
-- is stored that does not load.
local function put_in_service(core, b, row, stable, o)
  local answer
  local function commit(g)
    for _, misfit in ipairs(g.misfits) do
      if misfit.row == row then return refuse("plugin", "%s", misfit.message) end
    end
    local plugin = g.chooser.by_name[row.plugin]
    if plugin.pin_problem then return refuse("plugin", "%s", plugin.pin_problem) end
    plugin = plugin.canary and plugin.canary.plugin or plugin
    local ok, problem = runs(plugin)
    if not ok then return nil, problem end
    answer = { deployment = view.of(row), warnings = json.array() }
    for i, w in ipairs(lint.warnings(row.plugin, plugin.manifest, plugin.driver)) do
      answer.warnings[i] = { file = w.file, line = w.line, message = w.message }
    end
    local statements, err = statements_of(core, b, row, stable, o)
    if not statements then return nil, err end
    if o.more then statements[#statements + 1] = o.more(answer) end
    return core.db:commit(statements)
  end
  local g, err = core.manager:reload(core.config, {
    keep = true, commit = commit, edit = function(given) edit(given, b, row) end,
  })
  if not g then return nil, err end
  core.shared:published()
  core.shared:refresh()
  meters.deployments:with(row.state == "running" and "started" or "promoted"):inc()
  return answer
end

-- The same version again, for another share of the dialogs.
local function change_share(core, row, o)
  if o.share == row.share then
    return refuse("conflict", "this version has %g %% of the dialogs already", row.share / 100)
  end
  local changed = setmetatable({ share = o.share }, { __index = row })
  local answer = { deployment = view.of(changed), warnings = json.array() }
  local statements = { rows.change_share(row, o.share), cluster.bump "plugins" }
  local function add(list) for _, s in ipairs(list) do statements[#statements + 1] = s end end
  add(registry.fact(core.shared, row.plugin, "deployment_changed", "info",
    decide.details(row, { by = o.by, share_percent = o.share / 100 })))
  if o.more then add { o.more(answer) } end
  local ok, err = core.db:commit(statements)
  if not ok then return nil, err end
  core.shared:published()
  ok, err = registry.sync(core)
  if not ok then return nil, err end
  return answer
end

-- Text as a Lua pattern that finds it.
local function pattern_of(text) return (text:gsub("%p", "%%%0")) end

-- Keeps both versions in the store of this instance, from where generations load them.
local function keep(core, b, stable)
  local ok, err = bundles.put(core.config.home, b)
  if ok and stable then ok, err = bundles.put(core.config.home, stable.bundle) end
  return ok, err
end

---Puts a version of a plugin in service, when it loads.
---@param core table parley.core
---@param b parley.Bundle
---@param origin "shipped"|"home"|"bundle"
---@param o parley.DeployOptions
---@return table|nil answer DeploymentCreatedV1
---@return table|nil err
function M.run(core, b, origin, o)
  local name = b.manifest.name
  local stable, last, row, ok, err
  o.share = o.share_percent and math.floor(o.share_percent * 100 + 0.5)
  stable, err = serving(core, name)
  if stable == nil then return nil, err end
  last, err = rows.last(core.db, name)
  if err then return nil, err end
  if last and last.state == "running" then
    if o.share and last.canary == b.hash then return change_share(core, last, o) end
    return refuse("conflict", "version %s of '%s' is on trial (deployment %d): promote it or abort "
      .. "it first", last.canary_version, name, last.number)
  end
  if stable and stable.hash == b.hash then
    return refuse("conflict", "this is what serves already: version %s of '%s'",
      b.manifest.version, name)
  end
  row, err = row_of(core, b, stable, last, origin, o)
  if row then ok, err = keep(core, b, stable) end
  if not ok then return nil, err end
  local answer
  answer, err = put_in_service(core, b, row, stable, o)
  if answer then return answer end
  if err.code == "unique" or err.code == "conflict" then
    return refuse("conflict", "'%s' was deployed by somebody else at the same time", name)
  end
  -- People look for the file where they have it, not in the store.
  err.message = err.message:gsub(pattern_of(bundles.path(core.config.home, b)),
    function() return b.dir end)
  return nil, err
end

return M
