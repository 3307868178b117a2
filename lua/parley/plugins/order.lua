-- The order of a generation's plugins: `before` and `after` first, then priority, then name.

local M = {}

local function earlier(a, b)
  local pa, pb = a.manifest.priority or 100, b.manifest.priority or 100
  if pa ~= pb then return pa > pb end
  return a.name < b.name
end

-- A heap of plugins by `earlier`: a thousand of them are sorted at every reload.
local function push(heap, plugin)
  local i = #heap + 1
  heap[i] = plugin
  while i > 1 do
    local up = math.floor(i / 2)
    if not earlier(heap[i], heap[up]) then return end
    heap[i], heap[up] = heap[up], heap[i]
    i = up
  end
end

local function pop(heap)
  local top, n = heap[1], #heap
  heap[1] = heap[n]
  heap[n] = nil
  n = n - 1
  local i = 1
  while true do
    local least = i
    for child = 2 * i, 2 * i + 1 do
      if child <= n and earlier(heap[child], heap[least]) then least = child end
    end
    if least == i then return top end
    heap[i], heap[least] = heap[least], heap[i]
    i = least
  end
end

-- For each plugin those that come after it, and how many come before. Names that no plugin has are
-- of no account: "after X" does not mean that X is needed.
local function edges(plugins)
  local by_name, followers, waits = {}, {}, {}
  for _, p in ipairs(plugins) do
    by_name[p.name], followers[p.name], waits[p.name] = p, {}, 0
  end
  local function edge(first, second)
    if by_name[first] and by_name[second] and not followers[first][second] then
      followers[first][second] = true
      waits[second] = waits[second] + 1
    end
  end
  for _, p in ipairs(plugins) do
    for _, other in ipairs(p.manifest.before or {}) do edge(p.name, other) end
    for _, other in ipairs(p.manifest.after or {}) do edge(other, p.name) end
  end
  return by_name, followers, waits
end

-- Some cycle among those that still wait, as the names along it.
local function find_cycle(plugins, followers, done)
  local state, path = {}, {}
  local function visit(name)
    state[name] = "open"
    path[#path + 1] = name
    local names = {}
    for other in pairs(followers[name]) do names[#names + 1] = other end
    table.sort(names)
    for _, other in ipairs(names) do
      if state[other] == "open" then
        local cycle, from = {}, 1
        while path[from] ~= other do from = from + 1 end
        for i = from, #path do cycle[#cycle + 1] = path[i] end
        cycle[#cycle + 1] = other
        return cycle
      end
      if not state[other] and not done[other] then
        local cycle = visit(other)
        if cycle then return cycle end
      end
    end
    state[name] = "closed"
    path[#path] = nil
  end
  for _, p in ipairs(plugins) do
    if not done[p.name] and not state[p.name] then
      local cycle = visit(p.name)
      if cycle then return cycle end
    end
  end
end

--- Orders plugins.
---@param plugins {name: string, manifest: table}[]
---@return table[]? ordered
---@return string[]? cycle names along a cycle of `before` and `after`, the first one also last
function M.sort(plugins)
  local by_name, followers, waits = edges(plugins)
  local heap, out, done = {}, {}, {}
  for _, p in ipairs(plugins) do
    if waits[p.name] == 0 then push(heap, p) end
  end
  while heap[1] do
    local p = pop(heap)
    out[#out + 1] = p
    done[p.name] = true
    for other in pairs(followers[p.name]) do
      waits[other] = waits[other] - 1
      if waits[other] == 0 then push(heap, by_name[other]) end
    end
  end
  if #out < #plugins then return nil, find_cycle(plugins, followers, done) end
  return out
end

return M
