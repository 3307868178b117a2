-- Long polling of one bot. An update is confirmed to Telegram by the next request, after it is in
-- the inbox: whatever happens before that, Telegram brings it again, and the inbox knows it.

local meters = require "parley.ops.meters"
local task = require "host.task"

local M = {}

local POLL_S = 25
local PAUSE_S, PAUSE_MAX_S = 0.5, 30
-- Turns of a bot under way. Those of one chat wait in its lane, which takes no more.
local AT_WORK = 100

-- message_reaction and chat_member come only to who asks.
local KINDS = {
  "message", "edited_message", "channel_post", "business_message", "callback_query",
  "inline_query", "chosen_inline_result", "shipping_query", "pre_checkout_query", "poll",
  "poll_answer", "my_chat_member", "chat_member", "chat_join_request", "message_reaction",
}

local EXPLAINED = {
  conflict = "somebody else gets the updates of this bot: another program with its token polls, "
    .. "or it has a webhook",
  unauthorized = "Telegram does not know the token of this bot",
}

-- Until they are durable nothing of them is confirmed.
local function take(self, updates)
  local pause = PAUSE_S
  while self.lease:held() do
    local taken, err = self.take(updates)
    if taken then return true end
    self.log("error", "updates could not be stored; Telegram keeps them", {
      bot = self.bot.name, error = err.message,
    })
    self.lease:sleep(pause)
    pause = math.min(pause * 2, PAUSE_MAX_S)
  end
end

---Polls as long as the lease is held.
---@param self {bot: table, api: table, lease: parley.Lease, log: function,
---  take: (fun(updates: table[]): integer|nil, table|nil), busy: fun(): integer}
---  take: makes updates durable and starts their turns. busy: turns under way
function M.run(self)
  local offset, pause, told = 0, PAUSE_S, nil
  while self.lease:held() do
    local updates, err = self.api:call("getUpdates", {
      offset = offset, timeout = POLL_S, limit = AT_WORK - self.busy(), allowed_updates = KINDS,
    }, POLL_S + 10)
    if updates then
      pause, told = PAUSE_S, nil
      local last = updates[#updates]
      if last and take(self, updates) then offset = last.update_id + 1 end
      while self.busy() >= AT_WORK and self.lease:held() do task.sleep(0.01) end
    else
      meters.telegram_polls:with(self.bot.name, err.code):inc()
      if told ~= err.code then
        self.log("error", EXPLAINED[err.code] or "updates cannot be had", {
          bot = self.bot.name, code = err.code, error = err.message,
        })
        told = err.code
      end
      self.lease:sleep(math.max(pause, err.retry_after or 0))
      pause = math.min(pause * 2, PAUSE_MAX_S)
    end
  end
end

return M
