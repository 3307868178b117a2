-- Takes away the bytes that no row of `blobs` names any more, and what was never finished. Each
-- host looks at its own folder.

local fs = require "host.fs"
local task = require "host.task"
local time = require "host.time"

local M = {}

local EVERY_S = 3600
-- A file is there before its row is, and one that is written is there before it has its name.
local YOUNG_S = 3600

local NAMED = "SELECT DISTINCT hash FROM blobs WHERE hash >= $1 AND hash < $2 AND expires_at > $3"

local function is_old(path)
  local stat = fs.stat(path)
  return stat and stat.type == "file" and stat.mtime < time.now_ms() / 1000 - YOUNG_S
end

local function sweep_shelf(blobs, shelf, total)
  local rows, err = blobs.db:query(NAMED, shelf, shelf .. "g", time.now_ms()) -- hex ends with f
  if not rows then return nil, err end
  local named = {}
  for _, row in ipairs(rows) do named[row.hash] = true end
  local folder = blobs.folder .. "/" .. shelf
  for _, name in ipairs(fs.list(folder) or {}) do
    local path = folder .. "/" .. name
    if not named[name] and is_old(path) and fs.remove(path) then total = total + 1 end
  end
  return total
end

---Sweeps once.
---@param blobs table parley.blobs
---@return integer|nil files that went
---@return table|nil err
function M.once(blobs)
  local total = 0
  for _, name in ipairs(fs.list(blobs.folder) or {}) do
    local path = blobs.folder .. "/" .. name
    if name:find "^%.new%." then
      if is_old(path) and fs.remove(path) then total = total + 1 end
    elseif name:find "^%x%x$" then
      local n, err = sweep_shelf(blobs, name, total)
      if not n then return nil, err end
      total = n
      task.sleep(0) -- a folder may have many files: others go on between two
    end
  end
  return total
end

---Sweeps now and then, until it is cancelled.
---@param blobs table
---@param log function
function M.run(blobs, log)
  while true do
    local n, err = M.once(blobs)
    if not n then log("warn", "files cannot be swept", { code = err.code, error = err.message }) end
    task.sleep(EVERY_S)
  end
end

return M
