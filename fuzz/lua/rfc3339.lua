-- Times as text: what is taken is the same time when it is written and read again.

local rfc3339 = require "parley.util.rfc3339"
local time = require "host.time"

return function(bytes)
  local ms = rfc3339.parse(bytes)
  if not ms then return end
  assert(ms >= 0 and ms % 1 == 0 and ms < 2 ^ 53)
  local again = time.rfc3339(ms)
  if again:match "^%d%d%d%d%-" then
    assert(rfc3339.parse(again) == ms, ("%s is %.0f, written as %s"):format(bytes, ms, again))
  end
end
