-- Migrations: numbered pairs of SQL files, each applied in one exclusive transaction together with
-- its row in migrations_info, so that two hosts that start at once cannot apply one twice.

local crypto = require "host.crypto"
local fs = require "host.fs"
local time = require "host.time"

local M = {}

local CREATE_INFO = [[
CREATE TABLE IF NOT EXISTS migrations_info (
  version_num INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  checksum    TEXT NOT NULL,
  applied_at  BIGINT NOT NULL
)]]

local function fail(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "migrate" }
end

---Reads the migrations of a folder, in order.
---@param dir string holds NNNN_name.up.sql and NNNN_name.down.sql
---@return table[]|nil list of {version, name, up, down, checksum}
---@return table|nil err
function M.load(dir)
  local names, err = fs.list(dir)
  if not names then return nil, err end
  table.sort(names)
  local list = {}
  for _, file in ipairs(names) do
    local version, name = file:match "^(%d%d%d%d)_([%w_]+)%.up%.sql$"
    if version then
      local base = ("%s/%s_%s"):format(dir, version, name)
      local up, down
      up, err = fs.read(base .. ".up.sql")
      if not up then return nil, err end
      down, err = fs.read(base .. ".down.sql")
      if not down then return nil, err end
      list[#list + 1] = {
        version = tonumber(version), name = name, up = up, down = down,
        checksum = crypto.hex(crypto.sha256(up)),
      }
      if list[#list].version ~= #list then
        return fail("invalid", "%s: migration %04d was expected here", file, #list)
      end
    end
  end
  return list
end

---What was applied, checked against the files.
---@return table|nil status {current, list = {{version, name, applied_at}}}
---@return table|nil err code "migration_changed" when an applied file is another now
function M.status(db, list)
  local ok, err = db:script(CREATE_INFO)
  if not ok then return nil, err end
  local rows
  rows, err = db:query "SELECT * FROM migrations_info ORDER BY version_num"
  if not rows then return nil, err end
  local out = { current = 0, list = {} }
  for i, m in ipairs(list) do
    local row = rows[i]
    if row and row.checksum ~= m.checksum then
      return fail("migration_changed", "migration %04d_%s was applied with another text: "
        .. "never change one that has been released, add the next", m.version, m.name)
    end
    if row then out.current = row.version_num end
    out.list[i] = { version = m.version, name = m.name, applied_at = row and row.applied_at }
  end
  if #rows > #list then
    return fail("migration_unknown", "the database is at migration %04d, this program knows %04d: "
      .. "it was written by a newer version", rows[#rows].version_num, #list)
  end
  return out
end

local function quote(s) return "'" .. s:gsub("'", "''") .. "'" end

-- The row is inserted first: who comes second fails on its key, and looks again.
local function step_up(db, m)
  return db:script(("INSERT INTO migrations_info VALUES (%d, %s, %s, %d);\n%s"):format(
    m.version, quote(m.name), quote(m.checksum), time.now_ms(), m.up))
end

local function step_down(db, m)
  return db:script(("DELETE FROM migrations_info WHERE version_num = %d;\n%s"):format(
    m.version, m.down))
end

---Brings the schema to a version.
---@param target integer|nil default: the newest
---@return integer|nil version now
---@return table|nil err
function M.to(db, list, target)
  target = target or #list
  if target < 0 or target > #list then
    return fail("invalid", "there is no migration %d: 0 to %d", target, #list)
  end
  while true do
    local status, err = M.status(db, list)
    if not status then return nil, err end
    if status.current == target then return target end
    local ok
    if status.current < target then
      ok, err = step_up(db, list[status.current + 1])
      -- "unique": another host applied it in between.
      if not ok and err.code ~= "unique" then return nil, err end
    else
      ok, err = step_down(db, list[status.current])
      if not ok then return nil, err end
    end
  end
end

return M
