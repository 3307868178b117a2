-- A generation as one dialog sees it: with the new version of a plugin in the place of the stable
-- one, where the dialog belongs to its share. Commands, patterns and intents are those of the
-- version, so that a view has a chooser of its own. Whatever runs in a dialog - messages, jobs,
-- late answers, plugins that invite others - finds the same version as long as the deployment runs.

local share = require "parley.deployments.share"

local M = {}

---@type integer canaries at a time: each one doubles the views
M.MAX = 4

-- What the host says of a plugin, it says of both versions.
local COMMON = { state = true, reason = true, off = true }

---@class parley.Side
---@field plugin string
---@field number integer of the deployment
---@field window_ms integer
---@field side "canary"|"stable"

-- Makes a new version stand in for the stable one.
local function pair(stable, variant, row)
  local function of(side)
    return { plugin = row.plugin, number = row.number, window_ms = row.window_ms, side = side }
  end
  for key in pairs(COMMON) do variant[key] = nil end
  setmetatable(variant, {
    __index = function(_, key) return COMMON[key] and stable[key] or nil end,
  })
  stable.trial, variant.trial = of "stable", of "canary"
  stable.canary = { plugin = variant, row = row, key = ("%s/%d"):format(row.plugin, row.number) }
end

-- Takes a new version out of the generation, which goes on with the stable one.
local function leave_out(generation, misfit, stable)
  generation.misfits[#generation.misfits + 1] = misfit
  if not stable then return end
  stable.canary.plugin.driver:close()
  stable.canary, stable.trial = nil, nil
end

---Loads the new versions that are on trial beside the plugins whose stable versions serve. One that
---cannot be had, or does not load here, is left out: it was checked where it was deployed, and
---parley.deployments tells all that it does not fit everywhere.
---@param generation parley.Generation
---@param trials parley.Trial[]
---@param load fun(trial: parley.Trial): parley.Plugin|nil, table|nil
function M.add(generation, trials, load)
  local by_name = {}
  for _, p in ipairs(generation.plugins) do by_name[p.name] = p end
  for _, t in ipairs(trials) do
    local stable, variant, err = by_name[t.row.plugin], nil, nil
    if t.bundle and stable then variant, err = load(t) end
    if variant then
      pair(stable, variant, t.row)
    else
      leave_out(generation, {
        row = t.row, critical = t.critical,
        message = t.problem or err and err.message or "its stable version is gone",
      })
    end
  end
end

local function has(mask, i) return math.floor(mask / 2 ^ (i - 1)) % 2 == 1 end

local function view_of(generation, trials, mask)
  local instead = {}
  for i, stable in ipairs(trials) do
    if has(mask, i) then instead[stable] = stable.canary.plugin end
  end
  local view = setmetatable({ plugins = {} }, { __index = generation })
  for i, plugin in ipairs(generation.plugins) do view.plugins[i] = instead[plugin] or plugin end
  return view
end

-- Of a combination that does not fit together, the version that came last is the one too many.
local function newest(trials, mask)
  local last
  for i, stable in ipairs(trials) do
    local since = stable.canary.row.started_at
    if has(mask, i) and not (last and last.canary.row.started_at > since) then last = stable end
  end
  return last
end

-- One for each combination of versions.
---@return table[]|nil views by mask
---@return table|nil err
---@return parley.Plugin|nil stable whose new version does not fit
local function combine(generation, trials, compile)
  local views = {}
  for mask = 1, 2 ^ #trials - 1 do
    local view = view_of(generation, trials, mask)
    local ok, err = compile(view)
    if not ok then return nil, err, newest(trials, mask) end
    views[mask] = view
  end
  return views
end

---Builds the views of a generation. A new version that does not fit in is left out.
---@param generation parley.Generation whole but for them
---@param compile fun(view: table): boolean|nil, table|nil what the plugins are together
function M.build(generation, compile)
  local views, err, misfit
  repeat
    local trials = {}
    for _, plugin in ipairs(generation.plugins) do
      if plugin.canary then trials[#trials + 1] = plugin end
    end
    views, err, misfit = combine(generation, trials, compile)
    if misfit then
      leave_out(generation, { row = misfit.canary.row, message = err.message }, misfit)
    end
    generation.trials, generation.views = trials, views
  until views
end

---For status pages.
---@param canary {plugin: parley.Plugin, row: parley.Deployment} of a plugin whose stable version
---  serves beside it
---@return table
function M.describe(canary)
  return {
    version = canary.plugin.manifest.version, hash = canary.plugin.hash:sub(1, 12),
    share_percent = canary.row.share / 100, deployment = canary.row.number,
  }
end

---Which view a dialog has.
---@param generation parley.Generation
---@param dialog_id string
---@return parley.Generation
function M.of(generation, dialog_id)
  local trials = generation.trials
  if #trials == 0 then return generation end
  local mask = 0
  for i, stable in ipairs(trials) do
    local c = stable.canary
    if share.has(c.key, dialog_id, c.row.share) then mask = mask + 2 ^ (i - 1) end
  end
  return generation.views[mask] or generation
end

return M
