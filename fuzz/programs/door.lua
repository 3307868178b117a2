-- The host's side of the door for random programs: answers of every shape, at once or later.

local json = require "host.json"
local task = require "host.task"

local M = {}

local ERRORS = {
  { code = "permission", message = "no", retryable = false, op = "door" },
  { code = "timeout", message = "late", retryable = true, op = "http" },
}

local function deep(n)
  local t = {}
  for _ = 1, n do t = { t } end
  return t
end

local ANSWERS = {
  function() return true end,
  function() return nil end,
  function(random) return nil, random:one_of(ERRORS) end,
  function() return { status = 200, headers = {}, body = "x", ok = true } end,
  function() return json.array(), json.null end,
  function() return ("x"):rep(10000) end,
  function() return 0 / 0, 1 / 0, -0 end,
  function() return deep(31) end,
  function() return deep(40) end,               -- too deep to cross
  function() return function() end end,         -- cannot cross
  function() return ("x"):rep(2 * 1024 * 1024) end, -- more than may cross
  function() return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 end,
  function() return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 end, -- too many
  function(random)
    local list = {}
    for i = 1, random:int(1, 5000) do list[i] = i .. "" end
    return list
  end,
}

local function pack(...) return { n = select("#", ...), ... } end

---@param random fuzz.Chance
---@return fun(name: string, ...): table|"stop" the values of the answer
function M.new(random)
  return function(name)
    assert(type(name) == "string")
    if random:one_in(3) then task.sleep(random:one_of { 0, 0, 0.001 }) end
    if random:one_in(20) then return "stop" end
    return pack(random:one_of(ANSWERS)(random))
  end
end

return M
