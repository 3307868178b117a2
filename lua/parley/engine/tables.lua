-- The table library of a sandboxed state: what LuaJIT's does, preempted while it does it.

local raw, shared = ...

local error, type, select, stock_pcall = raw.error, raw.type, raw.select, raw.pcall
local rawget, rawset, min, lib = raw.rawget, raw.rawset, raw.math.min, raw.lib
local check, misuse, frozen = shared.check, shared.misuse, shared.frozen
local gsub = lib.gsub

-- Left out:
--   foreach foreachi getn  of Lua 5.0: for loops and the operator # do the same
--   move                   of Lua 5.3, and another piece of LuaJIT to trust: a loop does the same
local tables = {
  insert = lib.insert_except(frozen, raw.table.insert), -- interrupted; no libraries
  maxn = raw.table.maxn, -- looks at a table once
  remove = raw.table.remove, -- is Lua inside, which is interrupted; a library is empty to it
}

-- concat looks at the clock between the parts of a long table.
local stock_concat = raw.table.concat
local JOIN = 1000 -- elements that the stock function joins at once

local function is_long(t, i, j)
  if type(t) ~= "table" then return false end
  i, j = i or 1, j or #t
  return type(i) == "number" and type(j) == "number" and j - i >= JOIN and j < 2 ^ 31
end

function tables.concat(t, sep, i, j)
  if not is_long(t, i, j) then return stock_concat(t, sep, i, j) end
  local parts, last = {}, j or #t
  for from = i or 1, last, JOIN do
    local ok, part = stock_pcall(stock_concat, t, sep, from, min(from + JOIN - 1, last))
    if not ok then error(part, 2) end
    parts[#parts + 1] = part
  end
  return stock_concat(parts, sep)
end

-- Sorting is in Lua: a comparator that a C function calls can be neither preempted nor suspended,
-- and its end could be caught. Merging bounds the comparisons, whatever the comparator answers; it
-- works on a copy, so that a comparator that changes the table, or raises, finds it as it was.

local RUN = 8

local function sort_runs(a, n, before)
  for first = 1, n, RUN do
    for i = first + 1, min(first + RUN - 1, n) do
      local v, at = a[i], i
      while at > first and before(v, a[at - 1]) do
        a[at] = a[at - 1]
        at = at - 1
      end
      a[at] = v
    end
  end
end

-- Merges from[i..middle-1] and from[middle..last] into `to`; equal values keep their order.
local function merge(from, to, i, middle, last, before)
  local left, right = i, middle
  for at = i, last do
    if left < middle and (right > last or not before(from[right], from[left])) then
      to[at] = from[left]
      left = left + 1
    else
      to[at] = from[right]
      right = right + 1
    end
  end
end

local function sorted(a, n, before)
  sort_runs(a, n, before)
  local b, width = {}, RUN
  while width < n do
    for i = 1, n, 2 * width do
      merge(a, b, i, min(i + width, n + 1), min(i + 2 * width - 1, n), before)
    end
    a, b, width = b, a, 2 * width
  end
  return a
end

local function less(x, y) return x < y end

-- What stands before the errors of this file, which belong to the author's line.
local HERE = "^" .. lib.match(select(2, stock_pcall(function() error "" end)), "^[^:]*") .. ":%d+: "

-- Called by sort: level 3 is its caller.
local function raise(err)
  local text, ours = err, 0
  if type(err) == "string" then text, ours = gsub(err, HERE, "") end
  error(text, ours == 1 and 3 or 0)
end

local function all_of(kind, a, n)
  for i = 2, n do
    if type(a[i]) ~= kind then return false end
  end
  return true
end

function tables.sort(t, before)
  check(t, "table", 1, "sort")
  if before ~= nil then check(before, "function", 2, "sort") end
  if frozen[t] then misuse(2, "the library table '%s' is read-only", frozen[t]) end
  local a, n = {}, #t
  for i = 1, n do a[i] = rawget(t, i) end
  local kind = type(a[1])
  if before or ((kind == "number" or kind == "string") and all_of(kind, a, n)) then
    a = sorted(a, n, before or less)
  else
    local ok, result = stock_pcall(sorted, a, n, less)
    if not ok then raise(result) end
    a = result
  end
  for i = 1, n do rawset(t, i, a[i]) end
end

return tables
