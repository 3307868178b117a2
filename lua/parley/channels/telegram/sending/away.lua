-- A bot whose calls all fail: Telegram cannot be reached, is broken, or does not know the token.
-- Its deliveries wait and use up no attempts; now and then it is asked who it is, until it answers.

local explain = {
  unauthorized = "Telegram does not know the token of a bot, or its owner has revoked it: give the "
    .. "host the token that @BotFather shows; until then its messages wait",
}
local OTHERS = "Telegram cannot be reached by a bot: its messages wait until it can"

local task = require "host.task"

local M = {}

local FAILURES = 3 -- in a row
local PAUSE_S, PAUSE_MAX_S = 1, 30
local TOKEN_S, TOKEN_MAX_S = 60, 600

local function tell(self, err)
  self.log("error", explain[err.code] or OTHERS, {
    sender = self.sender, code = err.code, error = err.message,
  })
end

local function ask(self, is_away)
  local pause
  while not self.closed do
    local of_token = self.away.code == "unauthorized"
    local least, most = of_token and TOKEN_S or PAUSE_S, of_token and TOKEN_MAX_S or PAUSE_MAX_S
    pause = math.max(least, math.min(pause or least, most))
    task.sleep(pause * (0.75 + math.random() / 2)) -- thousands of bots do not ask as one
    pause = pause * 2
    if self.closed then return end
    local _, err = self.api:call("getMe", {})
    if not err or not is_away[err.code] then break end
    if err.code ~= self.away.code then
      self.away = err
      tell(self, err)
    end
  end
  if self.closed then return end
  self.log("info", "a bot sends again", { sender = self.sender })
  self.away, self.failures = nil, 0
  self:go_on()
end

---A call has failed, not for what it was about.
---@param self parley.telegram.Sender
---@param err table
---@param is_away table<string, boolean> codes
function M.failed(self, err, is_away)
  self.failures = self.failures + 1
  if self.failures >= FAILURES then M.begin(self, err, is_away) end
end

---Nothing of the bot is begun until it answers.
---@param self parley.telegram.Sender
---@param err table
---@param is_away table<string, boolean> codes
function M.begin(self, err, is_away)
  if self.away or self.closed then return end
  self.away = err
  tell(self, err)
  task.spawn(ask, self, is_away)
end

return M
