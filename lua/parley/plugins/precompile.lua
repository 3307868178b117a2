-- Source is compiled for the first time in a process that is thrown away: Debian's LuaJIT can be
-- crashed by one line of it (LuaJIT #1033), and then that process is all that is lost.

local crypto = require "host.crypto"
local fs = require "host.fs"
local isolate = require "host.isolate"
local log = require "parley.ops.log"

local M = {}
M.__index = M

-- The hashes of sources that have compiled, so that a reload tries only what is new. Forgotten as a
-- whole when they are many: the next reload tries them again.
local MAX = 10000
local passed, count = {}, 0

local SOURCE_MAX = 256 * 1024 -- of a file, host/engine/sandbox.h

local MEMORY = 64 * 1024 * 1024 -- 256 KiB of the densest source take less than half of it

-- What says that the host cannot isolate anything, not that something is wrong with the source.
local UNABLE = { not_supported = true, no_memory = true, busy = true, io = true, permission = true }

local function pass(hash)
  if count == MAX then passed, count = {}, 0 end
  if not passed[hash] then count = count + 1 end
  passed[hash] = true
end

---@return parley.Precompile to be closed; its process is started with the first source that is new
function M.new() return setmetatable({}, M) end

local function open(self)
  if self.state and not self.state:stats().broken then return true end
  self:close()
  local err
  self.state, err = isolate.new { name = "precompile", memory = MEMORY, prelude = "return {}" }
  return self.state, err
end

local DEADLY = { crashed = true, timeout = true }

local function problem_of(name, err)
  if not DEADLY[err.code] then return err.message end
  return ("%s:1: this source cannot be compiled safely, LuaJIT itself fails on it: %s")
    :format(name, err.message)
end

local function try(self, name, text)
  local ok, err = open(self)
  if ok then ok, err = self.state:compile("source", text, "@" .. name) end
  if ok then return true end
  if UNABLE[err.code] then
    log.write("warn", "no process to try source in: it is compiled at once",
      { file = name, error = err.message })
    return true
  end
  return nil, {
    code = "syntax", retryable = false, op = "precompile", message = problem_of(name, err),
  }
end

---Compiles a source, unless the same one has compiled before. It waits.
---@param name string the file, for messages
---@param text string
---@return boolean|nil ok
---@return table|nil err its message begins with the file and a line
function M:compile(name, text)
  local hash = crypto.sha256(text)
  if passed[hash] then return true end
  local ok, err = try(self, name, text)
  if ok then pass(hash) end
  return ok, err
end

-- What comes with the host is no news to its compiler.
local function is_ours(path)
  local dir = fs.data_dir() .. "/"
  return path:sub(1, #dir) == dir
end

---Whether the compiler survives a text that is the operator's own, and may be longer than a
---plugin's: of what it says the operator is told by whoever compiles it next. It waits.
---@param name string the file, for messages
---@param text string
---@return boolean|nil ok
---@return table|nil err its message begins with the file and a line
function M.survives(name, text)
  local hash = crypto.sha256(text)
  if passed[hash] or #text > SOURCE_MAX or is_ours(name) then return true end
  local self = M.new()
  local ok, err = open(self)
  if ok then ok, err = self.state:compile("source", text, "@" .. name) end
  self:close()
  if not ok and DEADLY[err.code] then
    return nil, { code = "syntax", message = problem_of(name, err), retryable = false }
  end
  if ok or not UNABLE[err.code] then pass(hash) end
  return true
end

---Throws the process away.
function M:close()
  if self.state then self.state:close() end
  self.state = nil
end

return M
