-- Allowances in the table `rates`: one row for each key, one statement for each block.
--
-- A window begins with the first request after the one before has ended. Clocks of machines differ
-- a little: whoever's clock is ahead ends a window that much earlier, and nobody uses one twice.

local M = {}
M.__index = M

-- A row this far in the future was written by a clock that was wrong: it must not shut anybody out
-- until that time has come.
local AHEAD_MS = 60000

-- How often a block is asked for again, smaller, when others have taken from the rest meanwhile.
local TRIES = 3

local TAKE = "INSERT INTO rates (key, window_start, used) VALUES ($1, $2, $3) "
  .. "ON CONFLICT (key) DO UPDATE SET "
  .. "window_start = CASE WHEN rates.window_start <= $4 OR rates.window_start > $5 "
  .. "THEN $2 ELSE rates.window_start END, "
  .. "used = CASE WHEN rates.window_start <= $4 OR rates.window_start > $5 "
  .. "THEN $3 ELSE rates.used + $3 END "
  .. "WHERE rates.window_start <= $4 OR rates.window_start > $5 OR rates.used + $3 <= $6 "
  .. "RETURNING window_start, used"

local LOOK = "SELECT window_start, used FROM rates WHERE key = $1"

local GIVE_BACK =
  "UPDATE rates SET used = used - $3 WHERE key = $1 AND window_start = $2 AND used >= $3"

---@param db table
---@param now_ms fun(): integer the time of day, which the rows are compared by
function M.new(db, now_ms) return setmetatable({ db = db, now_ms = now_ms }, M) end

local function take(self, key, n, limit, length_ms)
  local now = self.now_ms()
  local results, err = self.db:commit {
    { TAKE, key, now, n, now - length_ms, now + length_ms + AHEAD_MS, limit, n = 6 },
    urgent = true, -- nothing of a message is done before
  }
  if not results then return nil, err end
  return (results[1].rows or {})[1]
end

---Takes up to n of what is left of an allowance.
---@param key string
---@param n integer 1 to limit
---@param limit integer of the whole window
---@param seconds number length of the window
---@return {granted: integer, used: integer, left_s: number, window: integer}|nil block
---   granted 0: the allowance is used up; left_s: until the window ends
---@return table|nil err
function M:reserve(key, n, limit, seconds)
  local length_ms = seconds * 1000
  for _ = 1, TRIES do
    local row, err = take(self, key, n, limit, length_ms)
    if err then return nil, err end
    local granted = row and n or 0
    if not row then row, err = self.db:first(LOOK, key) end
    if err then return nil, err end
    local free = row and limit - row.used or limit -- no row: it has just been swept away
    if granted > 0 or free <= 0 then
      return {
        granted = granted, used = row.used, window = row.window_start,
        left_s = math.max(0, row.window_start + length_ms - self.now_ms()) / 1000,
      }
    end
    n = math.min(n, free)
  end
  return nil, { code = "busy", message = "too many ask for one allowance", retryable = true }
end

---Gives back what nobody has asked for, where its window is not over.
---@param blocks {key: string, window: integer, n: integer}[]
---@return table|nil results
---@return table|nil err
function M:give_back(blocks)
  local statements = {}
  for i, b in ipairs(blocks) do statements[i] = { GIVE_BACK, b.key, b.window, b.n } end
  return self.db:commit(statements)
end

return M
