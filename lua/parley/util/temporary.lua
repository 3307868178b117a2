-- Folders that go with the process: TMPDIR says where.

local crypto = require "host.crypto"
local fs = require "host.fs"

local M = {}

---A new folder that only this user may enter.
---@return string|nil path
---@return table|nil err
function M.folder()
  local path = ("%s/parley-%s"):format(fs.getenv "TMPDIR" or "/tmp", crypto.hex(crypto.random(8)))
  local ok, err = fs.mkdir(path, tonumber("700", 8))
  if not ok then return nil, err end
  return path
end

---Takes a folder of M.folder() away, with what is in it. What cannot be removed stays.
---@param path string
function M.remove(path)
  assert(path:find "/parley%-%x+", "not a temporary folder")
  for _, name in ipairs(fs.list(path) or {}) do
    local inner = path .. "/" .. name
    local st = fs.stat(inner)
    if st and st.type == "directory" then M.remove(inner) else fs.remove(inner) end
  end
  fs.remove(path)
end

return M
