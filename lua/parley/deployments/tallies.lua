-- The table `deployment_counts`: what each worker has counted of a deployment, by slices of its
-- window; and all of it added up.

local compare = require "parley.deployments.compare"
local json = require "host.json"
local time = require "host.time"

local M = {}

local SLICES = 10  -- of a window
local RECENT = 2   -- of these, the latest not over yet
local ROWS_MAX = 200
local SETTLED_MS = 60000 -- a slice so old is not written any more

---@param row {window_ms: integer}
---@return integer length of a slice
function M.slice_ms(row) return math.max(math.floor(row.window_ms / SLICES), 1) end

-- Numbers as keys are text in JSON.
local function encode(t)
  local classes = {}
  for class, n in pairs(t.latency) do classes[tostring(class)] = n end
  return json.encode {
    calls = t.calls, errors = t.errors, critical = next(t.critical) and t.critical or nil,
    latency = classes,
  }
end

---A tally as it was written.
---@param text string
---@return parley.Tally
function M.decode(text)
  local t = json.decode(text)
  local classes = {}
  for class, n in pairs(t.latency) do classes[tonumber(class)] = n end
  t.latency, t.critical = classes, t.critical or {}
  return t
end

local PUT = "INSERT INTO deployment_counts (plugin, number, slice, side, worker, counts) "
  .. "SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM deployments WHERE plugin = $1 "
  .. "AND number = $2 AND state = 'running') "
  .. "ON CONFLICT (plugin, number, slice, side, worker) DO UPDATE SET counts = excluded.counts"

---Writes what a worker has counted in a slice, in the place of what it has written before; nothing
---when the deployment is decided.
---@param row {plugin: string, number: integer} the deployment
---@param slice integer milliseconds, when it begins
---@param side "canary"|"stable"
---@param worker string
---@param tally parley.Tally
---@return table statement
function M.put(row, slice, side, worker, tally)
  return { PUT, row.plugin, row.number, slice, side, worker, encode(tally) }
end

local function both() return { canary = compare.tally(), stable = compare.tally() } end

local function query(db, row)
  return db:query("SELECT slice, side, counts FROM deployment_counts WHERE plugin = $1 "
    .. "AND number = $2", row.plugin, row.number)
end

---@class parley.Tallies
---@field canary parley.Tally
---@field stable parley.Tally

---@param db table
---@param row parley.Deployment
---@return parley.Tallies|nil whole since it began
---@return parley.Tallies|table recent a fifth of its window; or the error
---@return integer rows
function M.read(db, row)
  local list, err = query(db, row)
  if not list then return nil, err, 0 end
  local whole, recent = both(), both()
  local since = time.now_ms() - RECENT * M.slice_ms(row)
  for _, r in ipairs(list) do
    local tally = M.decode(r.counts)
    compare.add(whole[r.side], tally)
    if r.slice > since then compare.add(recent[r.side], tally) end
  end
  return whole, recent, #list
end

---@param pair parley.Tallies
---@return table for people and programs
function M.summary(pair)
  return { canary = compare.summary(pair.canary), stable = compare.summary(pair.stable) }
end

---Adds up what is older than a window, so that a trial which nobody decides does not grow.
---@param db table
---@param row parley.Deployment
---@param rows integer that it has
---@return table[]|nil statements nil without an error: they are few
---@return table|nil err
function M.compact(db, row, rows)
  if rows <= ROWS_MAX then return nil end
  local list, err = query(db, row)
  if not list then return nil, err end
  local before = time.now_ms() - math.max(row.window_ms, SETTLED_MS)
  local sum = both()
  for _, r in ipairs(list) do
    if r.slice < before then compare.add(sum[r.side], M.decode(r.counts)) end
  end
  return {
    {
      "DELETE FROM deployment_counts WHERE plugin = $1 AND number = $2 AND slice < $3",
      row.plugin, row.number, before,
    },
    M.put(row, 0, "canary", "sum", sum.canary), M.put(row, 0, "stable", "sum", sum.stable),
  }
end

---What takes away the rows of one that is decided.
---@param row parley.Deployment
---@return table statement
function M.forget(row)
  return {
    "DELETE FROM deployment_counts WHERE plugin = $1 AND number = $2", row.plugin, row.number,
  }
end

---What takes away rows that a worker has written while the deployment was being decided.
---@return table statement
function M.sweep()
  return {
    "DELETE FROM deployment_counts WHERE NOT EXISTS (SELECT 1 FROM deployments d WHERE d.plugin = "
      .. "deployment_counts.plugin AND d.number = deployment_counts.number "
      .. "AND d.state = 'running')",
  }
end

return M
