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

return M
