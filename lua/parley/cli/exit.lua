-- The exit codes of every command (after sysexits.h); docs/cli.md describes them.

local M = {
  DONE = 0,
  NO = 1, -- the question was answered: no
  USAGE = 64,
  NOT_RUNNING = 69,
  BUG = 70, -- host/main.c gives this one, and the next
  SYSTEM = 71,
  IO = 74,
  BUSY = 75,
  CONFIG = 78,
}

local BY_CODE = {
  config = M.CONFIG, plugin = M.CONFIG, rules = M.CONFIG, triggers = M.CONFIG,
  not_running = M.NOT_RUNNING, busy = M.BUSY, usage = M.USAGE,
}

---Says on stderr what has failed.
---@param err table {code, message}
---@return integer exit code
function M.failed(err)
  io.stderr:write("parley: ", err.message, "\n")
  return BY_CODE[err.code] or M.IO
end

---Says on stderr what is wrong with how the command was called.
---@param message string
---@return integer exit code
function M.usage(message) return M.failed { code = "usage", message = message } end

return M
