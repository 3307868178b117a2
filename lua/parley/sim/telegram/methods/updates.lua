-- Taking updates: by long polling, or at a webhook (Bot API, Getting updates).

local failure = require "parley.sim.telegram.failure"
local json = require "host.json"
local params_of = require "parley.sim.telegram.params"
local time = require "host.time"
local world = require "parley.sim.telegram.world"

local M = {}

local POLL_MAX_S, BATCH_MAX = 50, 100
local PORTS = { [""] = true, ["443"] = true, ["80"] = true, ["88"] = true, ["8443"] = true }

local function batch(bot, limit)
  local out = json.array()
  for i = bot.first, math.min(bot.last, bot.first + limit - 1) do out[#out + 1] = bot.updates[i] end
  return out
end

function M.getUpdates(_, bot, p)
  if bot.webhook then
    return failure.conflict("can't use getUpdates method while webhook is active; use "
      .. "deleteWebhook to delete the webhook first")
  end
  if type(p.allowed_updates) == "table" then bot.wanted = p.allowed_updates end
  -- Whoever polls last goes on; who was there before is sent away.
  bot.poller = (bot.poller or 0) + 1
  local mine = bot.poller
  bot.taken:broadcast()
  local offset = params_of.integer(p.offset) or 0
  if offset < 0 then offset = bot.next_update + offset end -- counted from the end
  if offset > 0 then world.confirm(bot, offset) end
  local limit = math.min(math.max(params_of.integer(p.limit) or BATCH_MAX, 1), BATCH_MAX)
  local timeout = math.max(params_of.integer(p.timeout) or 0, 0)
  local deadline = time.mono() + math.min(timeout, POLL_MAX_S)
  while world.pending(bot) == 0 do
    local left = deadline - time.mono()
    if left <= 0 then return json.array() end
    bot.taken:wait(left)
    if bot.poller ~= mine then
      return failure.conflict("terminated by other getUpdates request; make sure that only one "
        .. "bot instance is running")
    end
  end
  return batch(bot, limit)
end

local function check_url(sim, url)
  local scheme, port = url:match "^(https?)://[^/:]+:?(%d*)"
  if not scheme then return failure.bad "bad webhook: invalid URL" end
  if sim.any_webhook then return true end
  if scheme ~= "https" then
    return failure.bad "bad webhook: An HTTPS URL must be provided for webhook"
  end
  if not PORTS[port] then
    return failure.bad "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
  end
  return true
end

local function drop(bot, p)
  if params_of.flag(p.drop_pending_updates) then world.confirm(bot, math.huge) end
end

function M.setWebhook(sim, bot, p, uploads)
  if p.url == nil or p.url == "" then return M.deleteWebhook(sim, bot, p) end
  local ok, err = check_url(sim, p.url)
  if not ok then return nil, err end
  local secret = p.secret_token
  if secret and (#secret > 256 or secret:find "[^%w_-]") then
    return failure.bad "secret token contains unallowed characters"
  end
  drop(bot, p)
  if type(p.allowed_updates) == "table" then bot.wanted = p.allowed_updates end
  local certificate = uploads.certificate and uploads.certificate.content
  if certificate and not certificate:find("-----BEGIN CERTIFICATE-----", 1, true) then
    return failure.bad "bad webhook: failed to set custom certificate file"
  end
  bot.webhook = {
    url = p.url, secret = secret, certificate = certificate,
    max_connections = params_of.integer(p.max_connections) or 40,
  }
  sim.webhooks:begin(bot)
  return true
end

function M.deleteWebhook(_, bot, p)
  drop(bot, p)
  bot.webhook = nil
  bot.taken:broadcast()
  return true
end

function M.getWebhookInfo(_, bot)
  local hook = bot.webhook or {}
  return {
    url = hook.url or "", has_custom_certificate = hook.certificate ~= nil,
    pending_update_count = world.pending(bot),
    last_error_date = hook.last_error_date, last_error_message = hook.last_error_message,
    max_connections = hook.max_connections, allowed_updates = bot.wanted,
  }
end

return M
