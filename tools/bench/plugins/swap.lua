-- swap.lua HOME: what a reload of all plugins of a home takes, how long it keeps the loop at once, and how long the
-- swap itself takes.

local config = require "parley.config"
local engine = require "host.engine"
local figures = require "tools.bench.plugins.figures"
local manager = require "parley.plugins.manager"
local pool = require "parley.plugins.pool"
local task = require "host.task"
local time = require "host.time"

local home = ...
local ROUNDS = 5
local GOAL_MS = 50

-- The longest turn of the loop since `before`, by the bounds of its histogram.
local function longest(before)
  local after = engine.turns()
  for i = #after.counts, 1, -1 do
    if after.counts[i] > before.counts[i] then return (after.bounds[i] or math.huge) * 1000 end
  end
end

local cfg = assert(config.load(home, { getenv = function() end }))
pool.configure(cfg.plugins_memory_mb * 1024 * 1024)
local plugins = manager.new()
local swap, swaps, builds, blocks = plugins.swap, {}, {}, {}
function plugins:swap(g)
  local since = time.mono()
  swap(self, g)
  swaps[#swaps + 1] = (time.mono() - since) * 1000
end
local g
for _ = 0, ROUNDS do
  local since, before = time.mono(), engine.turns()
  g = assert(plugins:reload(cfg))
  builds[#builds + 1] = (time.mono() - since) * 1000
  task.sleep(0.05) -- the generation before is closed meanwhile
  blocks[#blocks + 1] = longest(before)
end
figures.row(("swap of a generation, %d plugins"):format(#g.plugins), ("%.2f ms, at most %.2f"):format(
  figures.median(swaps), figures.quantile(swaps, 1)), ("at most %d ms"):format(GOAL_MS),
  figures.quantile(swaps, 1) <= GOAL_MS)
figures.row("  its build beside the one that serves", ("%.0f ms, turns of the loop at most %g ms"):format(
  figures.median(builds), figures.median(blocks)))
