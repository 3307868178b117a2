-- Commands of the real binary, for a spec.

local fs = require "host.fs"
local temporary = require "parley.util.temporary"

local M = {}

local EXE = fs.realpath "/proc/self/exe"

---Runs `parley ARGS`.
---@param args string as the shell reads them
---@param o {before: string?, cwd: string?}|nil before: of the command line, a pipe or its environment
---@return integer code
---@return string stdout
---@return string stderr
function M.run(args, o)
  o = o or {}
  local dir = assert(temporary.folder())
  local code = os.execute(("cd %s && { %s %s %s >%s/out 2>%s/err; }"):format(o.cwd or ".", o.before or "", EXE, args, dir, dir))
  if type(code) == "number" and code > 255 then code = code / 256 end
  return code, fs.read(dir .. "/out"), fs.read(dir .. "/err")
end

return M
