-- What Telegram says of a bot's webhook, and of the updates that wait.

local fleet = require "parley.channels.telegram.fleet"
local time = require "host.time"

local M = {}

local TIMEOUT_S = 10
local MANY = 100
local RECENT_S = 3600

-- What Telegram's words mean, and what to do. The first that fits.
local MEANINGS = {
  { "certificate", "the certificate of the address is not one that Telegram trusts: renew it, or "
    .. "give a self-signed one along (parley bot set-webhook --certificate)" },
  { "SSL", "TLS fails at the address: see to its certificate, with all of its chain" },
  { "resolve", "the name in the address is not found in the DNS" },
  { "refused", "nothing listens at the address: see to the proxy in front, and to its port" },
  { "timed out", "the address is not reached, or the host answers too slowly: see to the firewall "
    .. "and the proxy in front" },
  { "401", "somebody in front asks for a password, or the secret is another one: "
    .. "parley bot set-webhook sets it anew" },
  { "403", "somebody in front refuses Telegram: let its requests through" },
  { "404", "the address leads elsewhere: the path is to be /tg/webhook/NAME of this host" },
  { "50%d", "the proxy in front does not reach the host, or the host cannot store updates: see its "
    .. "log" },
}

local function advice_for(message)
  for _, meaning in ipairs(MEANINGS) do
    if message:find(meaning[1]) then return meaning[2] end
  end
  return "see the log of the proxy in front, and of the host"
end

local function examine_address(bot, info, add)
  if bot.transport == "polling" then
    if info.url == "" then return true end
    local advice = ("parley bot delete-webhook %s polls"):format(bot.name)
    if bot.name ~= fleet.MAIN then -- which polls, always
      advice = ("%s; parley bot set-webhook %s has it bring updates here"):format(advice, bot.name)
    end
    add("webhook", "problem", ("a webhook is set (%s) while the host is to poll: it gets 409")
      :format(info.url), advice)
    return false
  end
  if info.url == "" then
    add("webhook", "problem", "no webhook is set: no updates come",
      "parley bot set-webhook " .. bot.name .. ", or delete-webhook to poll")
    return false
  end
  if info.url:match "/tg/webhook/([%w_]+)$" ~= bot.name then
    add("webhook", "problem", "the webhook leads elsewhere: " .. info.url,
      "somebody else has set it: parley bot set-webhook " .. bot.name)
    return false
  end
  return true
end

local function examine_errors(bot, info, add)
  local at = tonumber(info.last_error_date)
  if bot.transport ~= "webhook" or not at or not info.last_error_message then return end
  local ago = math.max(0, time.now_ms() / 1000 - at)
  local recent = ago < RECENT_S and (tonumber(info.pending_update_count) or 0) > 0
  -- So answers this host for a bot that is paused, so that Telegram keeps its updates.
  if bot.state == "paused" and info.last_error_message:find("503", 1, true) then
    return add("webhook", "hint", "Telegram is told to come again, since the bot is paused: "
      .. info.last_error_message, "parley bot resume " .. bot.name)
  end
  add("webhook", recent and "problem" or "hint", ("the last failure, %d s ago: %s"):format(ago,
    info.last_error_message), advice_for(info.last_error_message))
end

local function examine_pending(bot, info, add)
  local n = tonumber(info.pending_update_count) or 0
  if n < MANY then
    return add("updates", "good", n == 1 and "1 update waits" or ("%d updates wait"):format(n))
  end
  add("updates", "hint", ("%d updates wait at Telegram, which keeps them for a day"):format(n),
    bot.state == "paused" and "they come when the bot is resumed"
      or "when they do not become fewer: see the log of the host, and whether one runs")
end

---@param bot parley.Bot
---@param client table parley.channels.telegram.api
---@param add fun(check: string, kind: string, message: string, advice: string|nil)
function M.examine(bot, client, add)
  local info, err = client:call("getWebhookInfo", {}, TIMEOUT_S)
  if not info then return add("webhook", "problem", err.message, "try again in a while") end
  if examine_address(bot, info, add) then
    add("webhook", "good", info.url ~= "" and info.url or "none is set")
  end
  examine_errors(bot, info, add)
  examine_pending(bot, info, add)
end

return M
