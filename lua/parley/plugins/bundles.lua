-- The store of bundles: what a plugin's folder said, kept under the hash of it, so that a version
-- which has served can serve again whatever has become of the folder. HOME/data/bundles/NAME/HASH/.
--
-- A bundle appears whole or not at all, is never changed, and is checked against its name whenever
-- it is read. The workers of an instance share the store; who comes second finds it done.

local bundle = require "parley.plugins.bundle"
local folder = require "host.folder"
local fs = require "host.fs"
local time = require "host.time"

local M = {}

local LEFT_OVER_MS = 3600 * 1000 -- a write that a kill has cut off is not still going on after that

local function folder_of(home, name)
  return ("%s/data/bundles/%s"):format(home, name)
end

local function path_of(home, name, hash)
  if not hash:find "^%x+$" or #hash ~= 64 then error("not the hash of a bundle: " .. hash, 3) end
  return folder_of(home, name) .. "/" .. hash
end

local function fail(message)
  return nil, { code = "bundle", message = message, retryable = false, op = "bundles" }
end

-- A folder that is there, whatever is in it.
local function read_checked(path, name, hash)
  local b, err = bundle.read(path, name)
  if not b then return nil, err end
  if b.hash == hash then return b end
  return fail(("%s: what is in it has the hash %s: it was changed, or the disk has failed")
    :format(path, b.hash))
end

---Where a bundle lies when it is in the store.
---@param home string
---@param b parley.Bundle
---@return string
function M.path(home, b) return path_of(home, b.manifest.name, b.hash) end

---Whether there is a folder for a bundle, whatever is in it.
---@param home string
---@param name string of the plugin
---@param hash string
---@return boolean
function M.has(home, name, hash) return fs.exists(path_of(home, name, hash)) end

---Reads a bundle back, checked against its hash.
---@param home string
---@param name string of the plugin
---@param hash string
---@return parley.Bundle|nil bundle
---@return table|nil err code "bundle": it is not there, or is no longer what it was
function M.read(home, name, hash)
  local path = path_of(home, name, hash)
  if not fs.exists(path) then
    return fail(("this instance has no bundle %s of '%s'"):format(hash:sub(1, 12), name))
  end
  return read_checked(path, name, hash)
end

---Puts a bundle in the store; on return it is on the disk and was read back. It waits.
---@param home string
---@param b parley.Bundle
---@return string|nil hash
---@return table|nil err
function M.put(home, b)
  local name = b.manifest.name
  local path = path_of(home, name, b.hash)
  local ok, err
  if fs.exists(path) then
    if read_checked(path, name, b.hash) then return b.hash end
    ok, err = folder.remove(path)
  else
    ok, err = fs.mkdir(folder_of(home, name), tonumber("700", 8))
  end
  if ok then ok, err = folder.write(path, b.sources) end
  if ok then ok, err = read_checked(path, name, b.hash) end
  if not ok then return nil, err end
  return b.hash
end

---@param home string
---@param name string of the plugin
---@return {hash: string, since: integer}[] newest first; since: milliseconds, when it was put
function M.list(home, name)
  local dir, out = folder_of(home, name), {}
  for _, hash in ipairs(fs.exists(dir) and fs.list(dir) or {}) do
    local st = #hash == 64 and hash:find "^%x+$" and fs.stat(dir .. "/" .. hash)
    if st then
      out[#out + 1] = { hash = hash, since = math.floor(st.mtime * 1000), at = st.mtime }
    end
  end
  table.sort(out, function(a, b)
    if a.at ~= b.at then return a.at > b.at end
    return a.hash < b.hash
  end)
  for _, entry in ipairs(out) do entry.at = nil end
  return out
end

-- What a kill has left of a write or a removal.
local function sweep(dir)
  for _, entry in ipairs(fs.list(dir) or {}) do
    local st = entry:find "^%.%l+%." and fs.stat(dir .. "/" .. entry)
    if st and time.now_ms() - st.mtime * 1000 > LEFT_OVER_MS then
      folder.remove(dir .. "/" .. entry)
    end
  end
end

---Takes old bundles away: all but the newest `keep` and those in `held`. It waits.
---@param home string
---@param name string of the plugin
---@param keep integer
---@param held table<string, any> hashes that are needed
---@return integer|nil removed
---@return table|nil err
function M.prune(home, name, keep, held)
  local removed = 0
  for i, entry in ipairs(M.list(home, name)) do
    if i > keep and held[entry.hash] == nil then
      local ok, err = folder.remove(path_of(home, name, entry.hash))
      if not ok then return nil, err end
      removed = removed + 1
    end
  end
  local dir = folder_of(home, name)
  if fs.exists(dir) then sweep(dir) end
  return removed
end

return M
