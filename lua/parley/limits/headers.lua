-- Which requests are counted, and what their answers say about it: the RateLimit fields of
-- draft-ietf-httpapi-ratelimit-headers-06: one field for each number, as most clients read
-- them; later drafts put all into one. Of several limits it is the one that will be met first.

local M = {}

M.FIELDS = {
  ["RateLimit-Limit"] = "how many requests the window has",
  ["RateLimit-Remaining"] = "how many of them are left",
  ["RateLimit-Reset"] = "seconds until the window ends",
  ["RateLimit-Policy"] = "the limit and the length of its window, 20;w=10",
}

-- Bots and plugins are counted by their tokens; operators are not.
local KINDS = { bot = "bot", plg = "plugin" }

---What counts the requests with a kind of token.
---@param kind string of a token
---@return string|nil kind of a limit
function M.kind_of(kind) return KINDS[kind] end

---Whether requests to a route can be counted.
---@param route {auth: string|nil}
function M.counts(route) return KINDS[route.auth] ~= nil end

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
