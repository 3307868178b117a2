-- Whether one share is larger than another by more than chance, also with a handful of cases.

local M = {}

local exp, log = math.exp, math.log

-- ln(n!) for whole n: by Stirling's series beyond the table. Its first term left out is below 1e-14
-- from there on.
local TABLE = 64
local factorials = { [0] = 0 }
for n = 1, TABLE do factorials[n] = factorials[n - 1] + log(n) end

local HALF_LOG_2PI = 0.5 * log(2 * math.pi)

local function log_factorial(n)
  if n <= TABLE then return factorials[n] end
  local x = n + 1
  local square = x * x
  return (x - 0.5) * log(x) - x + HALF_LOG_2PI
    + (1 / 12 - (1 / 360 - 1 / (1260 * square)) / square) / x
end

local function log_choose(n, k)
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k)
end

---Fisher's exact test, one-sided: how probable it is that, of all the hits together, at least so
---many fall to the first group by chance. It assumes nothing about numbers being large.
---@param hits integer of the first group
---@param n integer its size
---@param other_hits integer
---@param other_n integer
---@return number p 0 to 1; 1 when one of the groups is empty
function M.fisher(hits, n, other_hits, other_n)
  if n == 0 or other_n == 0 or hits == 0 then return 1 end
  local all_hits, all = hits + other_hits, n + other_n
  -- At or below what is expected there is nothing to find, and the sum would be long.
  if hits * all <= n * all_hits then return 1 end
  local misses = all - all_hits
  local ways = log_choose(n, hits) + log_choose(other_n, other_hits)
  local term = exp(ways - log_choose(all, all_hits))
  local sum, k, last = term, hits, math.min(n, all_hits)
  while k < last and term > sum * 1e-12 do
    -- From k hits in the first group to k + 1: each term follows from the one before.
    term = term * (n - k) * (all_hits - k) / ((k + 1) * (misses - n + k + 1))
    sum, k = sum + term, k + 1
  end
  return math.min(sum, 1)
end

-- A new version is looked at again and again while its calls come in, and every look is a chance to
-- be wrong. It is looked at when there are a quarter more calls than at the last look; the look of
-- number k may be wrong with alpha / ((k + 1) (k + 2)), which adds up to alpha at most.
local FIRST, GROWTH = 3, 1.25

---@param n integer calls so far
---@return integer|nil number of the look that is due, 0 and up; nil: too few for a first one
function M.look(n)
  if n < FIRST then return nil end
  return math.floor(log(n / FIRST) / log(GROWTH) + 1e-9)
end

---@param alpha number for all looks together
---@param look integer
---@return number alpha of this look
function M.spend(alpha, look) return alpha / ((look + 1) * (look + 2)) end

return M
