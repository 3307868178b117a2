-- What Telegram says of a bot's webhook, and of the updates that wait.

local address = require "parley.channels.telegram.doctor.address"
local time = require "host.time"

local M = {}

local TIMEOUT_S = 10
local MANY = 100
local RECENT_S = 3600

-- What Telegram's words mean: the first that fits, and what to do.
local MEANINGS = {
  { "certificate", "certificate" }, { "SSL", "tls" }, { "resolve", "dns" },
  { "refused", "refused" },
  { "timed? ?out", "timeout" }, { "timeout", "timeout" }, { ": 401", "401" }, { ": 403", "403" },
  { ": 404", "404" }, { ": 405", "405" }, { ": 413", "413" }, { ": 30%d", "30x" },
  { ": 50%d", "50x" },
}

local function advice_for(said, info)
  for _, meaning in ipairs(MEANINGS) do
    if said:find(meaning[1]) then
      local custom = meaning[2] == "certificate" and info.has_custom_certificate
      return "failure_" .. (custom and "custom" or meaning[2]) .. "_do"
    end
  end
  return "failure_other_do"
end

-- Whether the updates come the way that they are to. True: by a webhook of this host.
local function examine_way(bot, info, add)
  if bot.transport == "polling" then
    if info.url == "" then return add("webhook", "good", "webhook_none_good") end
    return add("webhook", "problem", "webhook_set", { url = info.url })
  elseif info.url == "" then
    return add("webhook", "problem", "webhook_none")
  elseif info.url:match "/tg/webhook/([%w_]+)$" ~= bot.name then
    return add("webhook", "problem", "webhook_elsewhere", { url = info.url })
  end
  add("webhook", "good", "webhook_good", { url = info.url })
  return true
end

-- Returns whether Telegram has failed of late, and has something to bring.
local function examine_failure(bot, info, add)
  local at, said = tonumber(info.last_error_date), info.last_error_message
  if bot.transport ~= "webhook" or not at or not said then return false end
  -- So answers this host for a bot that is paused, so that Telegram keeps its updates.
  if bot.state == "paused" and said:find("503", 1, true) then
    add("webhook", "hint", "webhook_paused", { said = said, advice = "resume_do" })
    return false
  end
  local ago = math.max(0, math.floor(time.now_ms() / 1000 - at))
  local recent = ago < RECENT_S and (tonumber(info.pending_update_count) or 0) > 0
  add("webhook", recent and "problem" or "hint", "failure", {
    ago = ago, said = said, advice = advice_for(said, info),
  })
  return recent
end

local function examine_pending(bot, info, add)
  local n = tonumber(info.pending_update_count) or 0
  if n < MANY then
    return add("updates", "good", n == 1 and "updates_one" or "updates_few", { n = n })
  end
  add("updates", "hint", "updates_many", {
    n = n, advice = bot.state == "paused" and "updates_paused_do" or nil,
  })
end

---@param bot parley.Bot
---@param client table parley.channels.telegram.api
---@param certificate string|nil what this host serves over TLS, in PEM
---@param add fun(check: string, kind: string, key: string, args: table|nil)
---@return boolean stolen a webhook gets the updates that are to be polled
function M.examine(bot, client, certificate, add)
  local info, err = client:call("getWebhookInfo", {}, TIMEOUT_S)
  if not info then
    add("webhook", "problem", "said", { said = err.message, advice = "again_do" })
    return false
  end
  local here = examine_way(bot, info, add)
  local failing = examine_failure(bot, info, add)
  if here then address.examine(info, failing, certificate, add) end
  examine_pending(bot, info, add)
  return bot.transport == "polling" and info.url ~= ""
end

return M
