-- How the updates of a bot come: it is polled, or Telegram brings them to a webhook. Telegram is
-- told first: what it has not given away it keeps, and what comes both ways is taken once.

local api = require "parley.channels.telegram.api"
local bots = require "parley.store.bots"
local explain = require "parley.channels.telegram.explain"
local kinds = require "parley.channels.telegram.update.kinds"
local orders = require "parley.channels.telegram.orders"

local M = {}

local PATH = "/tg/webhook/"
local URL_MAX = 2048

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "bots" }
end

---The webhook of a bot below the public address of this host.
---@param url string as an operator knows it: https://bot.example, with or without the whole path
---@param name string
---@return string|nil url
---@return table|nil err
function M.address(url, name)
  local base = url:gsub("/+$", "")
  if not base:find "^https?://[^/?#%s]+[^?#%s]*$" or #base > URL_MAX then
    return refuse("bot_webhook_refused",
      "url: the public address of this host expected, like https://bot.example")
  end
  local path = PATH .. name
  return base:sub(-#path) == path and base or base .. path
end

-- A client for the bot of a row.
local function client(self, row)
  local bot = bots.open(row, self.vault, self.master)
  if not bot.token then
    return refuse("conflict", "%s", explain[bot.problem.code] or bot.problem.message)
  end
  return api.new { token = bot.token, url = self.url }, nil, bot
end

-- What Telegram has said, in words of ours where it is no refusal of the webhook.
local function failed(err)
  if err.code == "bad_request" then return refuse("bot_webhook_refused", "%s", err.message) end
  if err.code == "unauthorized" then
    return refuse("bot_token_refused", "%s", explain.unauthorized)
  end
  return nil, {
    code = "unavailable", retryable = true, op = "bots", retry_after = err.retry_after,
    message = ("Telegram could not be told (%s): try again"):format(err.message),
  }
end

local function turn(self, name, transport, order)
  local view, err = orders.change(self, name, { transport = transport }, order)
  if view then return view end
  err.message = ("Telegram has been told, but not this host (%s): try again"):format(err.message)
  return nil, err
end

---Has Telegram bring the updates of a bot to this host, from now on.
---@param self parley.BotOrders
---@param name string
---@param given {url: string, certificate: string|nil, max_connections: integer|nil,
---  drop_pending: boolean|nil} certificate: a self-signed one, in PEM; drop_pending: what waits at
---  Telegram is forgotten
---@param order parley.BotOrder
---@return table|nil view BotV1
---@return table|nil err bot_not_found, bot_webhook_refused, bot_token_refused, conflict,
---  unavailable, or of the database
function M.set_webhook(self, name, given, order)
  local row, err = orders.find(self.db, name)
  if not row then return nil, err end
  local url, telegram, bot
  url, err = M.address(given.url, name)
  if not url then return nil, err end
  telegram, err, bot = client(self, row)
  if not telegram then return nil, err end
  local params = {
    -- All kinds: which of them plugins want may be another matter after the next reload.
    url = url, secret_token = bot.secret, allowed_updates = kinds.all(),
    max_connections = given.max_connections, drop_pending_updates = given.drop_pending or nil,
  }
  local ok
  if given.certificate then
    ok, err = telegram:upload("setWebhook", params, { {
      name = "certificate", data = given.certificate, filename = "certificate.pem",
      content_type = "application/x-pem-file",
    } })
  else
    ok, err = telegram:call("setWebhook", params)
  end
  if not ok then return failed(err) end
  return turn(self, name, "webhook", order)
end

---Has this host poll for the updates of a bot, from now on.
---@param self parley.BotOrders
---@param name string
---@param given {drop_pending: boolean|nil}
---@param order parley.BotOrder
---@return table|nil view BotV1
---@return table|nil err as set_webhook
function M.delete_webhook(self, name, given, order)
  local row, err = orders.find(self.db, name)
  if not row then return nil, err end
  local telegram
  telegram, err = client(self, row)
  if not telegram then return nil, err end
  local ok
  ok, err = telegram:call("deleteWebhook", { drop_pending_updates = given.drop_pending or nil })
  if not ok then return failed(err) end
  return turn(self, name, "polling", order)
end

return M
