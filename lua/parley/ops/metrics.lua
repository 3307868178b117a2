-- Counters, gauges and histograms of one process.
--
--     local turns = registry:counter("parley_turns_total", "Turns, by outcome.", { "status" })
--     local answered = turns:with("answered")   -- once, where the module is loaded
--     answered:inc()                            -- per event: one addition
--
-- Label values come from plugins and clients, so each metric keeps a bounded number of series: what
-- comes later is counted together under the value "other".

local exposition = require "parley.ops.exposition"
local utf8 = require "parley.util.utf8"

local concat, format = table.concat, string.format

local M = {}

--- What stands in the labels of a series that counts those that are too many.
M.OTHER = "other"

local MAX_SERIES = 200     -- of one metric
local MAX_LABEL_CHARS = 64 -- of one label value
local OTHER = M.OTHER

--- Seconds, from a cached read to the longest call that a plugin may make.
M.SECONDS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 }

--- One series of a counter: a number that only grows.
---@class parley.metrics.Counter
local Counter = {}
Counter.__index = Counter

---@param n? number 0 or more; default 1
function Counter:inc(n)
  n = n or 1
  if n < 0 or n ~= n then error("a counter only grows: 0 or more expected, got " .. n, 2) end
  self.value = self.value + n
end

--- One series of a gauge: a number that goes up and down.
---@class parley.metrics.Gauge
local Gauge = {}
Gauge.__index = Gauge

---@param v number
function Gauge:set(v) self.value = v end

---@param n? number default 1
function Gauge:inc(n) self.value = self.value + (n or 1) end

---@param n? number default 1
function Gauge:dec(n) self.value = self.value - (n or 1) end

--- One series of a histogram: how many observations were at most as large as each bound.
---@class parley.metrics.Histogram
local Histogram = {}
Histogram.__index = Histogram

---@param v number
function Histogram:observe(v)
  if v ~= v then return end -- one NaN would make the sum useless for good
  local bounds, counts = self.bounds, self.counts
  local i, n = 1, #bounds
  while i <= n and v > bounds[i] do i = i + 1 end
  counts[i] = counts[i] + 1
  self.sum = self.sum + v
end

--- All series of one metric with labels.
---@class parley.metrics.Family
local Family = {}
Family.__index = Family

local function new_series(family, values)
  local series
  if family.type == "counter" then
    series = setmetatable({ value = 0 }, Counter)
  elseif family.type == "gauge" then
    series = setmetatable({ value = 0 }, Gauge)
  else
    local counts = {}
    for i = 1, #family.bounds + 1 do counts[i] = 0 end
    series = setmetatable({ bounds = family.bounds, counts = counts, sum = 0 }, Histogram)
  end
  series.labels = values
  family.series[#family.series + 1] = series
  return series
end

-- A label value as it is kept: whole characters, not many.
local function clean(value)
  local codes, n = utf8.codes(value)
  if n > MAX_LABEL_CHARS then n = MAX_LABEL_CHARS end
  local out = {}
  for i = 1, n do out[i] = utf8.char(codes[i]) end
  return concat(out)
end

-- A value may itself be called "other": it is the same series.
local function overflow(family)
  local values = {}
  for i = 1, #family.labels do values[i] = OTHER end
  local key = concat(values, "\0")
  family.by_key[key] = family.by_key[key] or new_series(family, values)
  return family.by_key[key]
end

local function find_series(family, key, values)
  for i = 1, #family.labels do values[i] = clean(values[i]) end
  -- Two values may be one after cleaning.
  local cleaned = concat(values, "\0")
  local series = family.by_key[cleaned]
  if not series then
    if #family.series >= family.max_series then return overflow(family) end
    series = new_series(family, values)
    family.by_key[cleaned] = series
    family.keys = family.keys + 1
  end
  if key ~= cleaned and family.keys < 2 * family.max_series then
    family.by_key[key] = series
    family.keys = family.keys + 1
  end
  return series
end

--- Forgets all series: a gauge of things that come and go is filled anew at each reading.
function Family:clear()
  if self.type ~= "gauge" then error(self.name .. ": only a gauge may forget", 2) end
  self.series, self.by_key, self.keys = {}, {}, 0
end

--- The series of these label values, made when it is new. Keep it where the path is hot.
---@param ... string|number|boolean one for each label
---@return parley.metrics.Counter|parley.metrics.Gauge|parley.metrics.Histogram
function Family:with(...)
  local n = select("#", ...)
  if n ~= #self.labels then
    error(format("%s: expected %d label values (%s), got %d", self.name, #self.labels,
      concat(self.labels, ", "), n), 2)
  end
  -- Every request passes here: a series that is known costs one text and one look-up.
  local a, b, c = ...
  if n <= 3 and a ~= nil and (n < 2 or b ~= nil) and (n < 3 or c ~= nil) then
    local key = tostring(a)
    if n > 1 then key = key .. "\0" .. tostring(b) end
    if n > 2 then key = key .. "\0" .. tostring(c) end
    local series = self.by_key[key]
    if series then return series end
  end
  local values = { ... }
  for i = 1, n do
    if values[i] == nil then
      error(format("%s: the value of label '%s' is nil", self.name, self.labels[i]), 2)
    end
    values[i] = tostring(values[i])
  end
  local key = concat(values, "\0")
  return self.by_key[key] or find_series(self, key, values)
end

--- A set of metrics with different names.
---@class parley.metrics.Registry
local Registry = {}
Registry.__index = Registry

---@return parley.metrics.Registry
function M.new()
  return setmetatable({ families = {}, by_name = {}, collectors = {} }, Registry)
end

local function add_family(registry, kind, name, help, labels, opts)
  if type(name) ~= "string" or not name:find "^[a-zA-Z_:][a-zA-Z0-9_:]*$" then
    error("not a metric name: " .. tostring(name), 3)
  end
  if registry.by_name[name] then error("the metric " .. name .. " is there already", 3) end
  if kind == "counter" and not name:find "_total$" then
    error("the name of a counter ends in _total: " .. name, 3)
  end
  for _, label in ipairs(labels or {}) do
    if not label:find "^[a-zA-Z_][a-zA-Z0-9_]*$" or label == "le" or label:find "^__" then
      error(name .. ": not a label name: " .. label, 3)
    end
  end
  local family = setmetatable({
    name = name,
    type = kind,
    help = help,
    labels = labels or {},
    bounds = opts and opts.bounds,
    merge = kind == "gauge" and (opts and opts.merge or "sum") or nil,
    max_series = opts and opts.max_series or MAX_SERIES,
    series = {},
    by_key = {},
    keys = 0,
  }, Family)
  registry.by_name[name] = family
  registry.families[#registry.families + 1] = family
  -- Without labels there is one series, and it is what the caller wants.
  if #family.labels == 0 then return new_series(family, {}) end
  return family
end

--- A new counter; with labels a family of them.
---@param name string ends in _total
---@param help string one sentence
---@param labels? string[]
---@param opts? {max_series?: integer}
---@return parley.metrics.Counter|parley.metrics.Family
function Registry:counter(name, help, labels, opts)
  return add_family(self, "counter", name, help, labels, opts)
end

--- A new gauge; with labels a family of them.
---@param name string
---@param help string
---@param labels? string[]
---@param opts? {max_series?: integer, merge?: "sum"|"max"} `merge`: what several workers have
---   together, the sum (default) or the largest
---@return parley.metrics.Gauge|parley.metrics.Family
function Registry:gauge(name, help, labels, opts)
  if opts and opts.merge and opts.merge ~= "sum" and opts.merge ~= "max" then
    error(name .. ": merge: 'sum' or 'max' expected", 2)
  end
  return add_family(self, "gauge", name, help, labels, opts)
end

--- A new histogram; with labels a family of them.
---@param name string with its unit: `_seconds`, `_bytes`
---@param help string
---@param labels? string[]
---@param bounds? number[] upper bounds, rising; default metrics.SECONDS
---@param opts? {max_series?: integer}
---@return parley.metrics.Histogram|parley.metrics.Family
function Registry:histogram(name, help, labels, bounds, opts)
  bounds = bounds or M.SECONDS
  for i = 2, #bounds do
    if bounds[i] <= bounds[i - 1] then error(name .. ": the bounds must rise", 2) end
  end
  return add_family(self, "histogram", name, help, labels,
    { bounds = bounds, max_series = opts and opts.max_series })
end

--- Calls `fn` before each reading: it brings gauges and counters up to date from what is counted
--- elsewhere (a C driver). A counter is set by `series.value = n`.
---@param fn fun()
function Registry:on_collect(fn) self.collectors[#self.collectors + 1] = fn end

---@class parley.metrics.Snapshot
---@field name string
---@field type string
---@field help string
---@field labels string[]
---@field bounds? number[] of a histogram
---@field merge? "sum"|"max" of a gauge
---@field max_series integer
---@field series table[] {labels, value} or, of a histogram, {labels, counts, sum}

--- Everything as plain data, to be sent to another process (JSON) and merged there
--- (parley.ops.merge).
---@return parley.metrics.Snapshot[]
function Registry:snapshot()
  for _, collect in ipairs(self.collectors) do collect() end
  local out = {}
  for i, family in ipairs(self.families) do
    local series = {}
    for k, s in ipairs(family.series) do
      local counts
      if s.counts then
        counts = {}
        for c, n in ipairs(s.counts) do counts[c] = n end
      end
      series[k] = { labels = s.labels, value = s.value, counts = counts, sum = s.sum }
    end
    out[i] = { name = family.name, type = family.type, help = family.help, labels = family.labels,
      bounds = family.bounds, merge = family.merge, max_series = family.max_series,
      series = series }
  end
  return out
end

--- The registry in the Prometheus text form.
---@return string
function Registry:render() return exposition.render(self:snapshot()) end

return M
