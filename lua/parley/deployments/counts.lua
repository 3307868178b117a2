-- What a worker counts of the calls of both versions while a deployment runs. Slices of the window
-- are kept in memory and written every two seconds, each worker its own rows; whoever compares adds
-- them up (tallies.lua). What an end of the process takes with it are two seconds of numbers.

local compare = require "parley.deployments.compare"
local crypto = require "host.crypto"
local latency = require "parley.deployments.latency"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local tallies = require "parley.deployments.tallies"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local EVERY_S = 2
local OPEN_MAX = 200 -- slices that are not written, when the database is away

-- Not a matter of the version: nobody has called it.
local NOT_CALLED = { circuit_open = true }

-- What ends a trial at the first time, by what the engine says. A crash is one of the plugin's own
-- process; what brings a worker down its successor tells (parley.plugins.blame).
local CRITICAL = { memory_limit = "memory_limit", crashed = "crash" }

---@param core {db: table, cluster: table}
function M.new(core)
  return setmetatable({
    db = core.db, changed = task.cond(), open = {}, list = {},
    -- A successor of the same name must not write over what this process has written.
    worker = core.cluster.id .. "#" .. crypto.hex(crypto.random(4)),
  }, M)
end

-- The slice of now for a version, made when it is new.
local function slice_of(self, trial)
  local length = tallies.slice_ms(trial)
  local begins = math.floor(time.now_ms() / length) * length
  local key = ("%s/%d/%s/%d"):format(trial.plugin, trial.number, trial.side, begins)
  local entry = self.open[key]
  if not entry then
    entry = {
      key = key, trial = trial, begins = begins, ends = begins + length, tally = compare.tally(),
    }
    self.open[key] = entry
    self.list[#self.list + 1] = entry
    if #self.list > OPEN_MAX then
      meters.deployment_slices_lost:inc()
      self.open[table.remove(self.list, 1).key] = nil
    end
  end
  return entry
end

---Notes a call of a plugin of which two versions serve.
---@param plugin parley.Plugin
---@param err table|nil PluginError
---@param took number milliseconds
function M:note(plugin, err, took)
  local code = err and err.code
  -- The host's own limit says nothing of the version, a server's does.
  if NOT_CALLED[code] or code == "rate_limited" and not err.http_status then return end
  local trial = plugin.trial
  meters.deployment_call(trial.plugin, trial.side, code, took / 1000)
  local entry = slice_of(self, trial)
  local t, class = entry.tally, latency.class(took)
  t.calls, t.latency[class] = t.calls + 1, (t.latency[class] or 0) + 1
  entry.dirty = true
  if not code then return end
  t.errors = t.errors + 1
  local what = CRITICAL[err.cause or code] or plugin.circuit.state == "open" and "circuit"
  if what then
    t.critical[what] = (t.critical[what] or 0) + 1
    self.changed:signal()
  end
end

---Writes what has not been written.
---@return boolean|nil ok
---@return table|nil err it will be written the next time
function M:flush()
  local statements, written = {}, {}
  for _, entry in ipairs(self.list) do
    if entry.dirty then
      local trial = entry.trial
      statements[#statements + 1] =
        tallies.put(trial, entry.begins, trial.side, self.worker, entry.tally)
      written[#written + 1], entry.dirty = entry, false
    end
  end
  if #statements > 0 then
    local ok, err = self.db:commit(statements)
    if not ok then
      for _, entry in ipairs(written) do entry.dirty = true end
      return nil, err
    end
  end
  local now, list = time.now_ms(), {}
  for _, entry in ipairs(self.list) do
    if entry.dirty or entry.ends > now then
      list[#list + 1] = entry
    else
      self.open[entry.key] = nil
    end
  end
  self.list = list
  return true
end

---Writes now and then, and at once what is critical.
function M:run()
  while true do
    self.changed:wait(EVERY_S)
    local ok, err = self:flush()
    if not ok then
      log.write("warn", "the calls of a deployment cannot be written", { error = err.message })
      task.sleep(1)
    end
  end
end

return M
