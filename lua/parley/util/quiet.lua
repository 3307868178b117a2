-- A log for what may happen to thousands alike: when Telegram is away, each of a thousand bots has
-- the same to say. The first few are written, with a word that more may come; the next one after a
-- minute says how many there were.

local time = require "host.time"

local M = {}

local WINDOW_S = 60

---@param log fun(level: string, message: string, fields: table|nil)
---@param most integer lines of one message in a minute
---@param clock (fun(): number)|nil seconds
---@return fun(level: string, message: string, fields: table|nil)
function M.new(log, most, clock)
  clock = clock or time.mono
  local seen = {} -- messages are texts of the program: there are some dozens
  return function(level, message, fields)
    local now, s = clock(), seen[message]
    if not s or now - s.since >= WINDOW_S then
      local left_out = s and s.n - most or 0
      s = { since = now, n = 0 }
      seen[message] = s
      if left_out > 0 then
        log("info", "more of the same was not written", { message = message, times = left_out })
      end
    end
    s.n = s.n + 1
    if s.n <= most then log(level, message, fields) end
    if s.n == most then
      log("info", "more of the same is not written for a minute", { message = message })
    end
  end
end

return M
