-- How many updates of a bot are taken at once, by what the queue of turns has. Whoever has a lot of
-- them takes many at a time: for each batch there is a transaction, and with polls a round trip.

local M = {}

local BATCH = 100        -- at most, says Telegram
local FEW = 20           -- while other bots have something, too: all of a batch goes at once
local FEWEST = 5         -- of a crowd, beside calm bots
local MANY, ROOM_S = 50, 0.1

---Waits until there are places for some.
---@param queue table of parley.turn
---@param source string
---@param goes_on fun(): boolean
---@return integer n 0: it does not go on
---@return boolean gave_way of a crowd, whose next ones may have to, too
function M.wait(queue, source, goes_on)
  while goes_on() do
    queue:wait(source, MANY, ROOM_S)
    local gave_way = queue:give_way(source)
    local few = gave_way and FEWEST or queue:is_mixed() and FEW
    local n = queue:room(source)
    if n > 0 then return math.min(n, few or BATCH), gave_way end
  end
  return 0, false
end

return M
