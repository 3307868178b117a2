-- What an operator orders about bots, over HTTP and by the command line alike: each is one
-- transaction with its audit row, and every worker follows.

local adopt = require "parley.channels.telegram.adopt"
local api = require "parley.channels.telegram.api"
local audit = require "parley.store.audit"
local bots = require "parley.store.bots"
local check_config = require("parley.schema.compile").compile(
  require("parley.schema.v1alpha_bots").BotConfigV1)
local json = require "host.json"
local shards = require "parley.channels.telegram.shards"
local time = require "host.time"

local M = {}

---@class parley.BotOrder
---@field by string source of the audit row, like token:ID
---@field reason string|nil
---@field verify boolean|nil false: Telegram is not asked about a token
---@field more (fun(view: table): table|nil)|nil a statement for the same transaction

---@class parley.BotOrders what orders need
---@field db table
---@field vault parley.Vault
---@field url string of the Bot API
---@field master string what secrets of webhooks come from

local function refuse(code, fmt, ...)
  return nil, { code = code, message = fmt:format(...), retryable = false, op = "bots" }
end

local function iso(ms) return ms and time.rfc3339(ms) end

---What may be shown of a bot: everything but its token and what follows from it.
---@param row table of bots
---@param vault parley.Vault|nil to say whether its token can be opened
---@return table BotV1
function M.view(row, vault)
  local problem = vault and bots.locked(row, vault) or row.problem and json.decode(row.problem)
  if problem then problem.since = iso(problem.since) end
  return {
    name = row.name, telegram_id = row.telegram_id, username = row.username,
    transport = row.transport, state = row.state,
    plugins = row.plugins and json.array(json.decode(row.plugins)), problem = problem,
    config = json.decode(row.config), created_at = iso(row.created_at),
    changed_at = iso(row.changed_at),
  }
end

---@param db table
---@param name string
---@return table|nil row
---@return table|nil err
function M.find(db, name)
  local row, err = bots.get(db, name)
  if err then return nil, err end
  if row then return row end
  return refuse("bot_not_found", "no bot '%s'%s", name:sub(1, 40), name == adopt.NAME
    and ": a host that is started with TELEGRAM_BOT_TOKEN adds it" or "")
end

---Which worker polls and sends for a bot.
---@param db table
---@param name string
---@return string|nil worker nil: none, at the moment
---@return table|nil err
function M.worker(db, name)
  local row, err = db:first("SELECT owner FROM leases WHERE name = $1", shards.lease(name))
  return row and row.owner ~= "" and row.owner or nil, err
end

-- Whose token it is; `verify = false`: as far as it says so itself.
local function ask(self, token, order)
  local id = bots.id_of(token)
  if not id then
    return refuse("bot_token_refused", "this is no token of a bot: @BotFather gives one like "
      .. "123456789:ABCdefGHIjklMNOpqrSTUvwxYZ")
  end
  if order.verify == false then return { id = id } end
  local me, err = api.new({ token = token, url = self.url }):call("getMe", {})
  if me then return me end
  if err.code == "unauthorized" then
    return refuse("bot_token_refused", "Telegram does not know this token: it has a mistake, or "
      .. "another one was made for the bot since; @BotFather shows the one that is good")
  end
  return nil, {
    code = "unavailable", retryable = true, op = "bots",
    message = ("Telegram cannot be asked whose token it is (%s): try again, or add it without "
      .. "asking"):format(err.message),
  }
end

-- Commits an order with its audit row and what the caller adds; `taken`: what a conflict means.
local function carry_out(self, order, statements, action, severity, row, details, taken)
  details.bot, details.telegram_id, details.reason = row.name, row.telegram_id, order.reason
  statements[#statements + 1] = audit.insert {
    source = order.by, action = action, severity = severity, details = details,
  }
  local view = M.view(row)
  statements[#statements + 1] = order.more and order.more(view) or nil
  local ok, err = self.db:commit(statements)
  if ok then return view end
  if err.code == "conflict" then return refuse("conflict", taken) end
  return nil, err
end

local function check(config)
  local errors = config and check_config(config)
  if not errors then return true end
  return nil, {
    code = "validation_failed", retryable = false, op = "bots", errors = errors,
    message = ("config%s: %s"):format(errors[1].path:gsub("/", "."), errors[1].message),
  }
end

local function is_taken(self, name, id)
  local row, err = self.db:first(
    "SELECT name FROM bots WHERE name = $1 OR telegram_id = $2", name, id)
  if err then return nil, err end
  if not row then return false end
  return row.name == name and ("there is a bot '%s' already"):format(name)
    or ("this bot is here already, as '%s'"):format(row.name)
end

---Adds a bot.
---@param self parley.BotOrders
---@param given {name: string, token: string, state: string|nil, plugins: string[]|nil,
---  config: table|nil} name: as the schema has it
---@param order parley.BotOrder
---@return table|nil view BotV1
---@return table|nil err bot_token_refused, conflict, unavailable, or of the database
function M.add(self, given, order)
  local ok, err = check(given.config)
  if not ok then return nil, err end
  local me
  me, err = ask(self, given.token, order)
  if not me then return nil, err end
  local taken
  taken, err = is_taken(self, given.name, me.id)
  if taken then return refuse("conflict", "%s", taken) end
  if err then return nil, err end
  local now = time.now_ms()
  local bot = {
    name = given.name, token = given.token, username = me.username, transport = "polling",
    state = given.state or "active", plugins = given.plugins, config = given.config,
  }
  local row = {
    name = bot.name, telegram_id = me.id, username = me.username, transport = bot.transport,
    state = bot.state, plugins = bot.plugins and json.encode(json.array(bot.plugins)),
    config = json.encode(bot.config or {}), created_at = now, changed_at = now,
  }
  return carry_out(self, order, bots.insert(bot, self.vault), "bot_added", "info", row,
    { username = me.username, state = bot.state },
    "somebody has added this bot, or one of this name, at the same time")
end

local FASTER = "somebody else has changed the bot at the same time: look at it, and try again"

local function changed_row(row, set)
  local out = {}
  for key, value in pairs(row) do out[key] = value end
  for key, value in pairs(set) do
    if key == "plugins" then
      value = value ~= json.null and json.encode(json.array(value)) or nil
    elseif key == "config" then
      value = json.encode(value)
    end
    out[key] = value
  end
  out.problem, out.changed_at = nil, time.now_ms()
  return out
end

local function changed_keys(set)
  local out = json.array()
  for key in pairs(set) do out[#out + 1] = key end
  table.sort(out)
  return out
end

-- What it is called: pausing is another fact than new settings.
local function change_event(set)
  local only = next(set, next(set)) == nil
  if only and set.state == "paused" then return "bot_paused" end
  if only and set.state == "active" then return "bot_resumed" end
  return "bot_changed"
end

---Changes what is given, and nothing else. A change of a bot that is paused does not resume it.
---@param self parley.BotOrders
---@param name string
---@param given {token: string|nil, state: string|nil, plugins: any, config: table|nil,
---  transport: string|nil, secret_version: integer|nil} plugins: json.null for all
---@param order parley.BotOrder
---@return table|nil view BotV1
---@return table|nil err bot_not_found, bot_token_refused, conflict, validation_failed, ...
function M.change(self, name, given, order)
  local row, err = M.find(self.db, name)
  if not row then return nil, err end
  local ok
  ok, err = check(given.config)
  if not ok then return nil, err end
  local set = {}
  for key, value in pairs(given) do set[key] = value end
  if set.token then
    local me
    me, err = ask(self, set.token, order)
    if not me then return nil, err end
    if me.id ~= row.telegram_id then
      return refuse("bot_token_refused", "this is the token of another bot (%s): remove '%s' and "
        .. "add that one, or give it a name of its own", me.username or me.id, name)
    end
    set.username = me.username
  end
  local keys, event = changed_keys(given), change_event(given)
  row = changed_row(row, set)
  return carry_out(self, order, bots.update(row, set, self.vault), event, "info", row,
    { changed = event == "bot_changed" and keys or nil }, FASTER)
end

---Removes a bot: it polls and sends no more, what waited to be sent and its jobs are given up. Its
---dialogs stay.
---@param self parley.BotOrders
---@param name string
---@param order parley.BotOrder
---@return table|nil view BotV1
---@return table|nil err bot_not_found, conflict
function M.remove(self, name, order)
  local row, err = M.find(self.db, name)
  if not row then return nil, err end
  return carry_out(self, order, bots.remove(row), "bot_removed", "warning", row,
    { username = row.username }, FASTER)
end

return M
