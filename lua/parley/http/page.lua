-- Lists: their parameters - pages, bounds in time, filters - which a route puts into its `query`,
-- and where a page ends.

local M = {}

M.MAX = 200

---@param what string "messages"
function M.limit(what)
  return {
    name = "limit", description = what .. " of a page, default 50",
    schema = { type = "integer", minimum = 1, maximum = M.MAX },
  }
end

---@param what string what the next page has: "older messages"
function M.cursor(what)
  return {
    name = "cursor", description = "next_cursor of the page before: " .. what,
    schema = { type = "string", maxLength = 64, pattern = "^[%w-]+$" },
  }
end

---Takes away the row that was read to know whether there is a next page.
---@param rows table[] up to limit + 1
---@param limit integer
---@param key string of a row: what the next page begins after
---@return string|nil next_cursor nil: there is none
function M.cut(rows, limit, key)
  if #rows <= limit then return nil end
  rows[#rows] = nil
  return rows[#rows][key]
end

---@param name string
---@param description string
function M.time(name, description)
  return {
    name = name, description = description,
    schema = { type = "string", format = "date-time", maxLength = 40 },
  }
end

---A filter by a word.
---@param name string
---@param description string
---@param values string[]|nil all that there are
function M.word(name, description, values)
  return {
    name = name, description = description,
    schema = {
      type = "string", enum = values, maxLength = not values and 128 or nil,
      pattern = not values and "^[%w._:%-]+$" or nil,
    },
  }
end

---@type string[] of events and audit rows
M.SEVERITIES = { "debug", "info", "warning", "error", "critical" }

return M
