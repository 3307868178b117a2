-- The fenced blocks of a page that are run: ```sh is a command, ```sh server one that stays in the
-- background, ```LANG file=PATH a file that the reader makes, ```output lines that the command before
-- prints, in this order among others. Other blocks are for reading.

local fs = require "host.fs"

local M = {}

---@param path string
---@return {kind: string, text: string, line: integer, file: string?}[]
function M.read(path)
  local out, block, n = {}, nil, 0
  for line in (assert(fs.read(path)) .. "\n"):gmatch "(.-)\n" do
    n = n + 1
    local info = line:match "^```(.*)$"
    if info and block then
      block.text = table.concat(block.lines, "\n") .. "\n"
      if block.kind then out[#out + 1] = block end
      block = nil
    elseif info then
      local file = info:match "file=(%S+)"
      local kind = file and "file" or info:match "^sh server" and "server" or info:match "^(%w+)%s*$"
      if kind ~= "sh" and kind ~= "output" and kind ~= "file" and kind ~= "server" then kind = nil end
      block = { kind = kind, file = file, line = n, lines = {} }
    elseif block then
      block.lines[#block.lines + 1] = line
    end
  end
  return out
end

return M
