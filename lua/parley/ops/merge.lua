-- Snapshots of several processes as one: counters and histograms are added up, gauges as each says.

local M = {}

local concat = table.concat

local function add(into, s, rule)
  if s.counts then
    for i, n in ipairs(s.counts) do into.counts[i] = into.counts[i] + n end
    into.sum = into.sum + s.sum
  elseif rule == "max" then
    into.value = math.max(into.value, s.value)
  else
    into.value = into.value + s.value
  end
end

local function copy(s, labels)
  local counts = s.counts and { unpack(s.counts) }
  return { labels = labels, value = s.value, counts = counts, sum = s.sum }
end

-- Each process keeps a bounded number of series, and so does what they have together.
local function find(into, s)
  local key = concat(s.labels, "\0")
  local known = into.by_key[key]
  if known or #into.series < into.max_series then return known, key, s.labels end
  local other = {}
  for i = 1, #s.labels do other[i] = "other" end
  key = concat(other, "\0")
  return into.by_key[key], key, other
end

local function merge_family(into, family)
  for _, s in ipairs(family.series) do
    local known, key, labels = find(into, s)
    if known then
      add(known, s, into.merge)
    else
      into.by_key[key] = copy(s, labels)
      into.series[#into.series + 1] = into.by_key[key]
    end
  end
end

--- What several snapshots say together. They are left as they are.
---@param snapshots parley.metrics.Snapshot[][]
---@return parley.metrics.Snapshot[]
function M.all(snapshots)
  local out, families = {}, {}
  for _, snapshot in ipairs(snapshots) do
    for _, family in ipairs(snapshot) do
      local into = families[family.name]
      if not into then
        into = {}
        for field, value in pairs(family) do into[field] = value end
        into.series, into.by_key = {}, {}
        families[family.name] = into
        out[#out + 1] = into
      end
      merge_family(into, family)
    end
  end
  for _, family in ipairs(out) do family.by_key = nil end
  return out
end

--- What stays true of a process when it has gone: what it has counted, not what it was doing.
---@param snapshot parley.metrics.Snapshot[]
---@return parley.metrics.Snapshot[]
function M.totals(snapshot)
  local out = {}
  for _, family in ipairs(snapshot) do
    if family.type ~= "gauge" then out[#out + 1] = family end
  end
  return out
end

return M
