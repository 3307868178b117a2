-- Notices what is saved in the folders that a generation is built from: plugins, settings, rules,
-- triggers. For who develops; an operator says himself when a reload is due.

local fs = require "host.fs"
local task = require "host.task"
local time = require "host.time"
local watch = require "host.watch"

local M = {}

---@type number seconds; editors write a file in several steps: truncate, write, rename
M.QUIET_S = 0.02
local BUSY_S = 10 -- times that: who never stops writing does not put a reload off for ever
local PLAIN_S = 1 -- between looks, where the system has no watches to give

-- Folders below a plugin's, and what in them makes a bundle.
local PARTS = { "", "/lib", "/locales" }

local function files_of(dir, out)
  for _, name in ipairs(fs.exists(dir) and fs.list(dir) or {}) do
    local path = dir .. "/" .. name
    local st = (name:find "%.lua$" or name:find "%.json$") and fs.stat(path)
    if st and st.type == "file" then
      out[#out + 1] = ("%s %.9f %d"):format(path, st.mtime, st.size)
    end
  end
end

-- What is to be watched, and how it stands: another text when a file has changed, come or gone.
local function look(places)
  local folders, files = {}, {}
  local function add(dir)
    folders[#folders + 1] = dir
    files_of(dir, files)
  end
  for _, dir in ipairs(places.folders or {}) do add(dir) end
  local plugins = { unpack(places.plugins or {}) }
  for _, parent in ipairs(places.parents or {}) do
    folders[#folders + 1] = parent
    for _, name in ipairs(fs.exists(parent) and fs.list(parent) or {}) do
      plugins[#plugins + 1] = parent .. "/" .. name
    end
  end
  for _, dir in ipairs(plugins) do
    local st = fs.stat(dir)
    for _, part in ipairs(st and st.type == "directory" and PARTS or {}) do add(dir .. part) end
  end
  table.sort(files)
  return folders, table.concat(files, "\n")
end

-- Until nothing has changed for a moment.
local function settle(w)
  local until_s = time.mono() + BUSY_S * M.QUIET_S
  while time.mono() < until_s and w:wait(M.QUIET_S) do end
end

---@class parley.Places
---@field folders? string[] with files of their own: conf/
---@field parents? string[] with a folder for each plugin: plugins/
---@field plugins? string[] folders of plugins

---Calls `changed` after each save, until the task is cancelled. What is saved meanwhile is noticed
---after it.
---@param places parley.Places
---@param changed fun()
---@param log function
function M.run(places, changed, log)
  local w, told = watch.new(), false
  local _, before = look(places)
  while true do
    -- The folders are watched before they are looked at: what changes after that ends the wait.
    local ok, err = w:folders((look(places)))
    if not ok and not told then
      told = true
      log("warn", "folders cannot be watched, they are looked at every second",
        { error = err.message })
    end
    local _, now = look(places)
    if now ~= before then
      before = now
      changed()
    elseif ok then
      w:wait()
      settle(w)
    else
      task.sleep(PLAIN_S)
    end
  end
end

return M
