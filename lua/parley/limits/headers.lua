-- What an answer says about limits: the RateLimit fields of
-- draft-ietf-httpapi-ratelimit-headers-06: one field for each number, as most clients read
-- them; later drafts put all into one. Of several limits it is the one that will be met first.

local M = {}

local function share(v) return v.remaining / v.limit end

---@param verdicts parley.limits.Verdict[]
---@return string lines that end in CR LF; none when nothing limits the request
function M.lines(verdicts)
  local v = verdicts[1]
  if not v then return "" end
  for i = 2, #verdicts do
    if share(verdicts[i]) < share(v) then v = verdicts[i] end
  end
  return ("RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n"
    .. "RateLimit-Policy: %d;w=%d\r\n"):format(v.limit, v.remaining, v.reset, v.limit, v.seconds)
end

return M
