-- Other programs, for a spec: run to their end, or waited for.

local fs = require "host.fs"
local process = require "host.process"

local M = {}

---The binary under test, whatever it was built with.
M.EXE = fs.realpath "/proc/self/exe"

local SECONDS = 60

M.eventually = require "spec.support.eventually"

---Is there a process of this number that has not ended?
function M.alive(pid)
  local stat = fs.read(("/proc/%d/stat"):format(pid)) or ""
  return stat ~= "" and not stat:match "%) [ZX] "
end

---Sends a signal to processes that are no children of ours, to all at the same moment.
---@param pids integer|integer[]
---@param signal string "KILL"
function M.kill(pids, signal)
  local argv = { "kill", "-" .. signal }
  for _, pid in ipairs(type(pids) == "table" and pids or { pids }) do argv[#argv + 1] = tostring(pid) end
  M.run(argv)
end

---The processes that a process has started, with any of its threads.
---@param pid integer
---@return integer[] ascending
function M.children(pid)
  local all = {}
  for _, thread in ipairs(fs.list(("/proc/%d/task"):format(pid)) or {}) do
    local children = fs.read(("/proc/%d/task/%s/children"):format(pid, thread)) or "" -- it may be gone
    for child in children:gmatch "%d+" do all[#all + 1] = tonumber(child) end
  end
  table.sort(all)
  return all
end

---A process, what it has started, and what those have.
---@param pid integer
---@return integer[]
function M.family(pid)
  local all = { pid }
  for _, child in ipairs(M.children(pid)) do
    for _, p in ipairs(M.family(child)) do all[#all + 1] = p end
  end
  return all
end

---Runs a program to its end. Fails the spec when it cannot be started or does not end.
---@param argv string[]
---@param o table|nil more options of host.process.spawn; seconds
---@return {code: integer|nil, signal: string|nil, out: string|nil, err: string|nil}
function M.run(argv, o)
  local options, seconds = { argv = argv, max_buffer = 16 * 1024 * 1024 }, SECONDS
  for k, v in pairs(o or {}) do
    if k == "seconds" then seconds = v else options[k] = v end
  end
  local p = assert(process.spawn(options))
  local function all(stream, read)
    if options[stream] then return nil end
    local text, err = p[read](p, nil, seconds)
    return text or error(("%s: %s: %s"):format(table.concat(argv, " "), stream, err.message), 3)
  end
  local out, errors = all("stdout", "read"), all("stderr", "read_err")
  local r = assert(p:wait(seconds))
  r.out, r.err = out, errors
  return r
end

---Runs `parley ARGUMENTS`, as M.run.
---@param arguments string[]
---@param o table|nil
function M.parley(arguments, o) return M.run({ M.EXE, unpack(arguments) }, o) end

return M
