-- c.session: what the plugin keeps between events, read and written like a table.

local misuse, show = parley.check.misuse, parley.check.show

-- What may be kept: JSON. Checked where it is written, so that the error is at the author's line;
-- returns what is wrong.
local function check_json(v, path, depth)
  local t = type(v)
  if t == "nil" or t == "boolean" or t == "string" or v == null then return nil end
  if t == "number" then
    local finite = v == v and v ~= math.huge and v ~= -math.huge
    return not finite and path .. " is not a finite number" or nil
  end
  if t ~= "table" then return ("%s is a %s, which cannot be kept in a session"):format(path, t) end
  if getmetatable(v) then return path .. " has a metatable, which cannot be kept in a session" end
  if depth == 16 then return path .. " is nested too deep, or is a cycle" end
  for k, item in pairs(v) do
    local problem = check_json(item, path .. "." .. show(k), depth + 1)
    if problem then return problem end
  end
end

---Reads fall through to what was stored; writes are kept beside it as the patch of the answer.
---@param stored table
---@param patch table gets what has changed
---@return table session
function parley.session(stored, patch)
  return setmetatable({}, {
    __index = function(_, key)
      local v = patch[key]
      if v == nil then v = stored[key] end
      if v == null then return nil end
      -- A nested table may be changed in place: hand it out as part of the patch.
      if type(v) == "table" and patch[key] == nil then patch[key] = v end
      return v
    end,
    __newindex = function(_, key, value)
      if type(key) ~= "string" then
        -- A table may say of itself what it likes, or nothing.
        local what = type(key) == "number" and "the number " .. key or "a " .. type(key)
        misuse("session: its keys are strings, got %s", what)
      end
      local problem = check_json(value, "session." .. key, 1)
      if problem then misuse("%s", problem) end
      if value == nil then value = null end
      patch[key] = value
    end,
    __metatable = false,
  })
end
