-- The plugin through which cases reach the door. A case of the SDK is a module that was put into
-- this state; for one of the gate the host takes the place of the answer to parley.uuid().

local p = parley.plugin()

local function deep(n)
  local t = {}
  for _ = 1, n do t = { t } end
  return t
end

-- Values that a case cannot write in one expression.
local function values(c)
  local cyclic = {}
  cyclic.self, cyclic[1] = cyclic, cyclic
  local raise = function() error { code = "mine" } end
  local events = { "__index", "__newindex", "__len", "__tostring", "__concat", "__eq", "__lt", "__pairs", "__call" }
  local raising, strange = {}, {}
  for _, event in ipairs(events) do
    raising[event] = raise
    strange[event] = function(_, key) return key end
  end
  return {
    cyclic = cyclic, deep = deep(200), raising = setmetatable({}, raising),
    strange = setmetatable({}, strange), locked = setmetatable({}, { __metatable = "locked" }),
    callable = setmetatable({}, { __call = function() return {} end }),
    endless = setmetatable({}, { __index = function(t) return t end }),
    set_session = function(key, value) c.session[key] = value end,
    get_session = function(key) return c.session[key] end,
    get_secret = function(key) return c.secret[key] end,
  }
end

local function problem_of(ok, value, err)
  if not ok then
    -- Misuse is an error at the author's line, not in the SDK.
    if type(value) == "string" and value:find "^sdk/" then return "raised in the SDK: " .. value end
    return nil
  end
  if value ~= nil or err == nil then return nil end
  if type(err) ~= "table" or type(err.code) ~= "string" or type(err.message) ~= "string" then
    return "a failure without code and message"
  end
end

p.on.command("run", function(c, name)
  local function check(call, f)
    local problem = problem_of(pcall(f))
    if problem then c.log:error("BROKEN " .. call .. ": " .. problem) end
  end
  require(name)(c, check, values(c))
end)

p.on.command("gate", function(c)
  parley.uuid()
  c:reply "done"
end)

p.on.command("noop", function(c) c:reply "here" end)

return p
