-- Whether all instances that share a database have one folder of files. A row of `blobs` says that
-- a file is there; its bytes are in data/blobs of the home, which has to be the same for all of
-- them. Each folder has a name of its own (store-id), which its instances tell in their heartbeats.

local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"

local M = {}

---The name of a home's folder of files; a new one gets it.
---@param home string
---@return string|nil id
---@return table|nil err
function M.identity(home)
  local folder = home .. "/data/blobs"
  local path = folder .. "/store-id"
  local id = (fs.read(path, 100) or ""):match "^(%x+)%s*$"
  if id then return id end
  local ok, err = fs.mkdir(folder, tonumber("700", 8))
  if ok then ok, err = fs.write(path, crypto.hex(crypto.random(6)) .. "\n", tonumber("600", 8)) end
  if not ok then return nil, err end
  -- As it is there now: another instance may have been faster on the disk that they share.
  return (fs.read(path, 100) or ""):match "^(%x+)%s*$"
end

---The machines whose instances have folders of their own, though there are files.
---@param db table
---@return string[]|nil machines by their names; none: all have one folder, or nobody keeps files
---@return table|nil err
function M.apart(db)
  local rows, err = db:query "SELECT info FROM instances"
  if not rows then return nil, err end
  local machines, seen, folders = {}, {}, {}
  for _, row in ipairs(rows) do
    local info = row.info and json.decode(row.info) or {}
    if info.files then
      folders[info.files] = true
      local machine = ("%s (%s)"):format(info.host or "?", info.files)
      if not seen[machine] then machines[#machines + 1], seen[machine] = machine, true end
    end
  end
  local first = next(folders)
  if not first or not next(folders, first) then return {} end
  local any
  any, err = db:first "SELECT 1 AS x FROM blobs LIMIT 1"
  if err then return nil, err end
  if not any then return {} end
  table.sort(machines)
  return machines
end

M.ADVICE = "put data/blobs of all of them on one disk that they share (docs/operate/instances.md)"

return M
