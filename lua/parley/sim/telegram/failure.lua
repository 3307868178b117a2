-- Refusals in the words of the Bot API (https://core.telegram.org/bots/api#making-requests).

local M = {}

---@class parley.sim.Failure
---@field error_code integer
---@field description string
---@field parameters table|nil ResponseParameters

local function maker(code, title)
  return function(description, parameters)
    return nil, {
      error_code = code, description = title .. (description and ": " .. description or ""),
      parameters = parameters,
    }
  end
end

M.bad = maker(400, "Bad Request")
M.unauthorized = maker(401, "Unauthorized")
M.forbidden = maker(403, "Forbidden")
M.not_found = maker(404, "Not Found")
M.conflict = maker(409, "Conflict")

---@param seconds integer
function M.too_many(seconds)
  return nil, {
    error_code = 429, description = "Too Many Requests: retry after " .. seconds,
    parameters = { retry_after = seconds },
  }
end

local TITLES = {
  [301] = "Moved Permanently", [302] = "Found", [307] = "Temporary Redirect",
  [308] = "Permanent Redirect", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [409] = "Conflict",
  [413] = "Request Entity Too Large", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

---What a status is called.
---@param status integer
---@return string
function M.title(status)
  return TITLES[status] or status >= 500 and TITLES[500] or "Bad Request"
end

return M
