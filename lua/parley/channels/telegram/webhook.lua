-- The webhook: Telegram brings an update, and hears 200 when it is durable, before it is answered.
-- Any worker takes it; the one that works for the bot sends what there is to say.
--
-- On SQLite a thread of the host takes what is good (parley.channels.telegram.inlet), and here
-- comes what is not, or what there is no place for.

local app = require "parley.http.app"
local audit = require "parley.store.audit"
local crypto = require "host.crypto"
local failures = require "parley.limits.failures"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local SECRET = "X-Telegram-Bot-Api-Secret-Token"
local FAILURES, WINDOW_S = 20, 60 -- of one address
local TELL_S = 60                 -- between two rows of the audit about strangers
local PAUSED_S = 60
local ROOM_S, TRIES = 2, 3        -- for a place in the queue; others may be faster

local UPDATE = {
  title = "TelegramUpdateV1", type = "object", required = { "update_id" },
  description = "an Update of the Bot API",
  properties = { update_id = { type = "integer", minimum = 0, maximum = 2 ^ 53 } },
  examples = { { update_id = 1 } },
}

---@param deps {telegram: table, db: table, log: function, clock: (fun(): number)|nil}
function M.new(deps)
  local clock = deps.clock or time.mono
  return setmetatable({
    telegram = deps.telegram, db = deps.db, log = deps.log, clock = clock, strangers = 0,
    failures = failures.new { max = FAILURES, seconds = WINDOW_S, clock = clock },
    -- What a bot that is not there would have: the answer takes the same steps.
    nobody = crypto.base64url(crypto.random(32)),
  }, M)
end

-- An operator hears of strangers, not of each of their attempts.
local function tell(self, ctx)
  self.strangers = self.strangers + 1
  local now = self.clock()
  if self.told and now - self.told < TELL_S then return end
  local row = audit.insert {
    source = "telegram", action = "webhook_refused", severity = "warning",
    details = { address = ctx.req:remote(), attempts = self.strangers },
  }
  self.told, self.strangers = now, 0
  task.spawn(self.db.commit, self.db, { row })
end

-- One answer for a bot that is not there and for a secret that is not its own.
local function refuse(self, ctx)
  meters.telegram_webhooks:with("none", "refused"):inc()
  tell(self, ctx)
  local allowed, seconds = self.failures:add(ctx.req:remote())
  if not allowed then
    return nil, {
      code = "rate_limited", retry_after = seconds, message = "too many wrong secrets",
    }
  end
  return nil, { code = "unauthorized", message = "no such bot, or not its secret" }
end

---Whether a request comes from Telegram. Who knows the secret is never held up by those who do not,
---though a proxy may show all of them under one address.
---@param ctx table of parley.http.app
---@return boolean|nil ok
---@return table|nil err
function M:admit(ctx)
  local fleet = self.telegram.fleet
  if not fleet.synced then
    return nil, { code = "unavailable", message = "the bots are not known yet" }
  end
  local bot = fleet:get(ctx.params.bot)
  local given = ctx.req:header(SECRET) or ""
  local same = crypto.equal(given, bot and bot.secret or self.nobody)
  if not same or not bot or ctx.req:count(SECRET) > 1 then return refuse(self, ctx) end
  ctx.bot = bot
  return true
end

-- Takes an update when there is a place for it, which is soon: Telegram would come again later, and
-- waits longer each time.
local function take(self, ctx)
  local queue, source = self.telegram.turn.queue, "tg:" .. ctx.bot.name
  local function durable() app.json(ctx, 200, "{}") end
  local taken, err
  for _ = 1, TRIES do
    -- What came before it, and was taken elsewhere, is to be answered before it.
    if not self.telegram.inlet:wait(ctx.bot.name, ROOM_S) then
      return nil, { code = "busy", message = "too many updates of this bot are waiting" }
    end
    queue:wait(source, 1, ROOM_S)
    taken, err = self.telegram:take(ctx.bot, { ctx.body }, durable)
    if taken or err.code ~= "busy" then break end
  end
  return taken, err
end

-- Telegram brings again what was not taken: the log needs one line, not one for each attempt.
local function postpone(self, bot, err)
  local result = err.code == "busy" and "busy" or "unavailable"
  meters.telegram_webhooks:with(bot.name, result):inc()
  if self.problem ~= err.code then
    self.problem = err.code
    self.log("error", "updates could not be stored; Telegram keeps them", {
      bot = bot.name, code = err.code, error = err.message,
    })
  end
  if err.code == "busy" then
    return nil, { code = "busy", message = err.message, retry_after = err.retry_after or 1 }
  end
  return nil, { code = "storage_failed", message = "the update could not be stored" }
end

---Takes one update. Nothing of it is done before it is answered but to make it durable.
---@param ctx table of parley.http.app: `bot`, `body`
---@return boolean|nil ok
---@return table|nil err
function M:take(ctx)
  local bot = ctx.bot
  if bot.state ~= "active" then
    meters.telegram_webhooks:with(bot.name, "paused"):inc()
    return nil, {
      code = "unavailable", message = "the bot is paused", retry_after = PAUSED_S,
    }
  end
  local taken, err = take(self, ctx)
  if not taken then return postpone(self, bot, err) end
  self.problem = nil
  meters.telegram_webhooks:with(bot.name, "ok"):inc()
  return true
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  local self = M.new { telegram = core.telegram, db = core.db, log = log.write }
  router:add {
    method = "POST", path = "/tg/webhook/{bot}", quiet = true,
    summary = "Where Telegram brings the updates of a bot: its own secret is in the header "
      .. SECRET,
    request = UPDATE, problems = { "unauthorized", "rate_limited" },
    admit = function(ctx) return self:admit(ctx) end,
    handler = function(ctx) return self:take(ctx) end,
  }
end

return M
