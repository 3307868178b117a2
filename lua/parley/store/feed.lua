-- What was noted, newest first, page by page: the rows of a table whose key is a UUIDv7, and which
-- is written far too often to carry an index for every question that may be asked of it.
--
-- A page looks at a bounded number of rows, by the primary key: it may hold fewer rows than were
-- asked for, even none, and still have a cursor to go on from. `since` and `until_ms` bound the
-- key itself, because a UUIDv7 begins with its time.

local M = {}

local WINDOW = 5000 -- rows that one page looks at

---The least id of a millisecond.
---@param ms integer
---@return string
function M.bound(ms)
  local hex = ("%012x"):format(ms)
  return hex:sub(1, 8) .. "-" .. hex:sub(9)
end

---@class parley.FeedQuery
---@field limit integer|nil default 50
---@field cursor string|nil of the page before
---@field since integer|nil milliseconds, inclusive
---@field until_ms integer|nil milliseconds, exclusive
---@field where table<string, string> column = value; the names are ours, the values anybody's

---@param db table
---@param source {table: string, columns: string}
---@param q parley.FeedQuery
---@return table[]|nil rows
---@return string|table|nil next_cursor, or the error
function M.page(db, source, q)
  local limit = q.limit or 50
  local before = q.until_ms and M.bound(q.until_ms) or "~"
  if q.cursor and q.cursor < before then before = q.cursor end
  local after = q.since and M.bound(q.since) or ""
  local names, parameters = {}, { before, after, WINDOW, limit + 1 }
  for name in pairs(q.where) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    parameters[#parameters + 1] = q.where[name]
    names[i] = ("%s = $%d"):format(name, #parameters)
  end
  local rows, err = db:query(("SELECT * FROM (SELECT %s FROM %s WHERE id < $1 AND id >= $2 "
    .. "ORDER BY id DESC LIMIT $3) AS newest%s ORDER BY id DESC LIMIT $4"):format(source.columns,
    source.table, #names > 0 and " WHERE " .. table.concat(names, " AND ") or ""),
    unpack(parameters))
  if not rows then return nil, err end
  if #rows > limit then
    rows[#rows] = nil
    return rows, rows[#rows].id
  end
  -- Everything in the window was seen; does it end there?
  local last
  last, err = db:first(("SELECT id FROM %s WHERE id < $1 AND id >= $2 ORDER BY id DESC "
    .. "LIMIT 1 OFFSET $3"):format(source.table), before, after, WINDOW - 1)
  if err then return nil, err end
  return rows, last and last.id
end

return M
