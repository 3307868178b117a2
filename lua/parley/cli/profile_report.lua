-- What workers have sampled of a plugin, added up: by function, and as stacks for a flame graph.

local M = {}
M.__index = M

-- Frames that are no place in a file.
local NAMES = {
  ["[sdk]"] = "(of the host: c, parley)", ["[other]"] = "(too many to be told apart)",
}

---@class parley.ProfileFunction
---@field name string as its author calls it
---@field at string file:line of its definition, like "main.lua:12"
---@field self_us integer microseconds of CPU in it, without the functions that it calls
---@field total_us integer with them
---@field self_bytes integer that it has allocated itself
---@field total_bytes integer
---@field line integer|nil where in it most of self_us is

function M.new()
  return setmetatable({
    events = 0, event_seconds = 0, us = 0, samples = 0, bytes = 0, waits = {}, stacks = {},
    names = {},
  }, M)
end

---Adds what a worker has answered (parley.plugins.profile).
---@param r table
function M:add(r)
  self.events = self.events + r.events
  self.event_seconds = self.event_seconds + r.event_seconds
  for name, w in pairs(r.waits) do
    local sum = self.waits[name] or { calls = 0, seconds = 0 }
    self.waits[name] = sum
    sum.calls, sum.seconds = sum.calls + w.calls, sum.seconds + w.seconds
  end
  for frame, name in pairs(r.names) do self.names[frame] = name end
  for _, s in ipairs(r.stacks) do
    local key = s.line .. " " .. s.stack
    local sum = self.stacks[key] or { us = 0, bytes = 0, line = s.line, stack = s.stack }
    self.stacks[key] = sum
    sum.us, sum.bytes = sum.us + s.us, sum.bytes + s.bytes
    self.us, self.bytes = self.us + s.us, self.bytes + s.bytes
    self.samples = self.samples + s.samples
  end
end

local function function_of(self, all, frame)
  if not all[frame] then
    all[frame] = {
      name = self.names[frame] or NAMES[frame] or frame, at = frame, self_us = 0, total_us = 0,
      self_bytes = 0, total_bytes = 0, lines = {},
    }
  end
  return all[frame]
end

-- Where most of the time of a function is, when it is spread over more than one line.
local function mostly(f)
  local found, most = nil, 0
  for line, us in pairs(f.lines) do
    if us > most or (us == most and found and line < found) then found, most = line, us end
  end
  f.lines = nil
  return found
end

---@param by "us"|"bytes" what those are ordered by, first in the functions themselves
---@return parley.ProfileFunction[]
function M:functions(by)
  local all, out = {}, {}
  for _, s in pairs(self.stacks) do
    local met, last = {}, nil
    for frame in s.stack:gmatch "[^;]+" do
      last = function_of(self, all, frame)
      if not met[frame] then -- one that calls itself counts once
        met[frame] = true
        last.total_us, last.total_bytes = last.total_us + s.us, last.total_bytes + s.bytes
      end
    end
    last.self_us, last.self_bytes = last.self_us + s.us, last.self_bytes + s.bytes
    if s.line > 0 then last.lines[s.line] = (last.lines[s.line] or 0) + s.us end
  end
  for _, f in pairs(all) do
    f.line = mostly(f)
    if f["total_" .. by] > 0 then out[#out + 1] = f end
  end
  table.sort(out, function(a, b)
    for _, key in ipairs { "self_" .. by, "total_" .. by } do
      if a[key] ~= b[key] then return a[key] > b[key] end
    end
    return a.at < b.at
  end)
  return out
end

---@return {name: string, calls: integer, seconds: number}[] services of the door, the longest first
function M:waited()
  local out = {}
  for name, w in pairs(self.waits) do
    out[#out + 1] = { name = name, calls = w.calls, seconds = w.seconds }
  end
  table.sort(out, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.name < b.name
  end)
  return out
end

---The stacks in the form that flame graphs are made of: "frame;frame;frame NUMBER".
---@param by "us"|"bytes"
---@return string
function M:collapsed(by)
  local sums, lines = {}, {}
  for _, s in pairs(self.stacks) do sums[s.stack] = (sums[s.stack] or 0) + s[by] end
  for stack, n in pairs(sums) do
    if n > 0 then
      local shown = stack:gsub("[^;]+", function(frame)
        local name = self.names[frame]
        return name and ("%s (%s)"):format(name:gsub(";", ","), frame) or frame
      end)
      lines[#lines + 1] = ("%s %d\n"):format(shown, n)
    end
  end
  table.sort(lines)
  return table.concat(lines)
end

return M
