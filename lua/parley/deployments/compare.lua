-- What the calls of a canary say against those of the stable version in the same time. Pure.
--
-- Both questions, errors and time, are one: whether a larger share of the canary's calls is bad. An
-- error is bad. A call is slow that takes clearly longer than 95 of 100 of the stable version's; of
-- those one in twenty is counted as slow, whatever was seen, because that is what 95 of 100 means.
-- A difference must be both large enough to matter (the thresholds) and no chance (statistics.lua).

local latency = require "parley.deployments.latency"
local statistics = require "parley.deployments.statistics"

local M = {}

local ALPHA = 0.01          -- that a version as good as the other one is ever called worse
local ALPHA_RECENT = 1e-5   -- the same of one look at the latest calls: there are many such looks
local DOUBT = 0.05          -- what keeps it from being promoted without more calls
local QUANTILE = 0.95
local QUANTILE_CALLS = 20   -- of the stable version, for its 95th of 100 to mean anything
local FLOOR_MS = 10         -- slower by less than that is no matter

---@class parley.Tally
---@field calls integer
---@field errors integer
---@field critical table<string, integer> by what: crash, hang, memory_limit, circuit
---@field latency table<integer, integer> parley.deployments.latency

---@class parley.DeploymentLimits
---@field min_calls integer of each version, before the canary is promoted
---@field error_margin number by how much its share of failed calls may be larger, 0 to 1
---@field latency_ratio number how many times as long 95 of 100 calls may take

---@return parley.Tally
function M.tally() return { calls = 0, errors = 0, critical = {}, latency = {} } end

---Adds one tally to another.
---@param into parley.Tally
---@param from parley.Tally
---@return parley.Tally into
function M.add(into, from)
  into.calls, into.errors = into.calls + from.calls, into.errors + from.errors
  for _, key in ipairs { "critical", "latency" } do
    for k, n in pairs(from[key]) do into[key][k] = (into[key][k] or 0) + n end
  end
  return into
end

local function percent(hits, n) return n == 0 and 0 or 100 * hits / n end

local function error_finding(canary, stable, limits)
  if percent(canary.errors, canary.calls) - percent(stable.errors, stable.calls)
    <= 100 * limits.error_margin then
    return nil
  end
  return {
    p = statistics.fisher(canary.errors, canary.calls, stable.errors, stable.calls),
    reason = ("%d of %d calls failed (%.1f %%), of the stable version %d of %d (%.1f %%)"):format(
      canary.errors, canary.calls, percent(canary.errors, canary.calls), stable.errors,
      stable.calls, percent(stable.errors, stable.calls)),
  }
end

local function latency_finding(canary, stable, limits)
  if stable.calls < QUANTILE_CALLS or canary.calls == 0 then return nil end
  local usual = latency.quantile(stable.latency, QUANTILE)
  local allowed = math.max(usual * limits.latency_ratio, usual + FLOOR_MS)
  local now = latency.quantile(canary.latency, QUANTILE)
  local slow = latency.above(canary.latency, allowed)
  if now <= allowed or slow == 0 then return nil end
  local expected = math.max(latency.above(stable.latency, allowed),
    math.ceil((1 - QUANTILE) * stable.calls))
  return {
    p = statistics.fisher(slow, canary.calls, expected, stable.calls),
    reason = ("95 of 100 calls take up to %.3g ms, of the stable version up to %.3g ms"):format(now,
      usual),
  }
end

-- The stronger of what speaks against the canary.
local function finding(canary, stable, limits)
  local errors = error_finding(canary, stable, limits)
  local slow = latency_finding(canary, stable, limits)
  if errors and slow then return errors.p <= slow.p and errors or slow end
  return errors or slow
end

-- What no stable version has to be bad at, too, for one case to be enough.
local CRITICAL = { "crash", "hang" }
-- What says something only when the stable version does not do it.
local CRITICAL_ALONE = { "memory_limit", "circuit" }

local WORDS = {
  crash = "it has crashed the process that it runs in", hang = "it has hung the host",
  memory_limit = "it has run into its memory limit",
  circuit = "it has failed so often that its circuit has opened",
}

local function critical(canary, stable)
  for _, what in ipairs(CRITICAL) do
    if (canary.critical[what] or 0) > 0 then return WORDS[what], what end
  end
  for _, what in ipairs(CRITICAL_ALONE) do
    if (canary.critical[what] or 0) > 0 and (stable.critical[what] or 0) == 0 then
      return WORDS[what], what
    end
  end
end

---Whether the canary is clearly worse, at any time of its trial.
---@param whole {canary: parley.Tally, stable: parley.Tally} since its beginning
---@param recent {canary: parley.Tally, stable: parley.Tally} the latest part of it: what has begun
---  to go wrong late is not to be hidden by what went well before
---@param limits parley.DeploymentLimits
---@param look integer|nil statistics.look of the canary's calls when it has not been looked at with
---  so many yet, nil: it has
---@return string|nil reason in words, nil: it is not
---@return string|nil critical what has happened, when once is enough
function M.is_worse(whole, recent, limits, look)
  local reason, what = critical(whole.canary, whole.stable)
  if reason then return reason, what end
  local found = look and finding(whole.canary, whole.stable, limits)
  -- Half for the errors, half for the time.
  if found and found.p < statistics.spend(ALPHA, look) / 2 then return found.reason end
  found = finding(recent.canary, recent.stable, limits)
  if found and found.p < ALPHA_RECENT then return found.reason end
end

---What stands against promoting the canary at the end of its window.
---@param whole {canary: parley.Tally, stable: parley.Tally}
---@param limits parley.DeploymentLimits
---@return string|nil reason nil: nothing
function M.obstacle(whole, limits)
  for _, side in ipairs { "canary", "stable" } do
    if whole[side].calls < limits.min_calls then
      return ("only %d calls of the %s version, %d are needed"):format(whole[side].calls, side,
        limits.min_calls)
    end
  end
  local found = finding(whole.canary, whole.stable, limits)
  if found and found.p < DOUBT then return "in doubt: " .. found.reason end
end

---A tally for people and programs.
---@param t parley.Tally
---@return table
function M.summary(t)
  return {
    calls = t.calls, errors = t.errors, critical = next(t.critical) and t.critical or nil,
    p50_ms = latency.quantile(t.latency, 0.5), p95_ms = latency.quantile(t.latency, QUANTILE),
  }
end

return M
