-- Senders of bots on a real database, with a Telegram made of a function: for specs of what is sent when.

local json = require "host.json"
local outbox = require "parley.channels.outbox"
local outlet = require "parley.channels.telegram.sending.outlet"
local sender = require "parley.channels.telegram.sender"
local time = require "host.time"

local M = {}
M.__index = M

---@param db table with the schema
---@param shared boolean|nil whether there are other workers
function M.new(db, shared)
  local self = setmetatable({ db = db, logged = {}, senders = {} }, M)
  self.log = function(level, message, fields) table.insert(self.logged, { level, message, fields or {} }) end
  self.outlet = outlet.new { db = db, log = self.log, shared = shared }
  return self
end

---A right to send that is ours until the spec says otherwise.
function M:lease(name)
  assert(self.db:commit { {
    "INSERT INTO leases (name, owner, fence, renewals) VALUES ($1, 'spec', 1, 0) ON CONFLICT (name) DO NOTHING", name,
  } })
  return {
    is_held = true, fence = 1, held = function(l) return l.is_held end,
    guard = function(l)
      return { "UPDATE leases SET renewals = renewals + 1 WHERE name = $1 AND fence = $2", name, l.fence, expect = 1 }
    end,
  }
end

---@param name string of the bot
---@param call fun(method: string, params: table): any, table|nil what Telegram answers
---@param more {limits: table|nil, outlet: table|nil}|nil
function M:open(name, call, more)
  local s = sender.new {
    bot = name, sender = "tg:" .. name, db = self.db, log = self.log, lease = self:lease("spec:" .. name),
    outlet = more and more.outlet or self.outlet, limits = more and more.limits, api = {
      call = function(_, method, params)
        if method == "getMe" then return {} end
        return call(method, params)
      end,
    },
  }
  self.senders[#self.senders + 1] = s
  return s
end

---Stores deliveries of a bot.
---@param name string of the bot
---@param calls {chat: integer, text: string, lane: string|nil, method: string|nil}[]
---@return parley.Delivery[]
function M:store(name, calls)
  local all, page = {}, {}
  for i, c in ipairs(calls) do
    local d = outbox.deliveries("tg:" .. name, {
      dialog = { id = ("tg:%s:%d"):format(name, c.chat) }, trace_id = ("0"):rep(32),
    }, { { method = c.method or "sendMessage", lane = c.lane or "reply", params = c.params or {
      chat_id = c.chat, text = c.text,
    } } })[1]
    all[#all + 1], page[#page + 1] = d, d
    if #page == 100 or i == #calls then
      assert(self.db:commit(outbox.inserts(page, time.now_ms())))
      page = {}
    end
  end
  return all
end

---How a delivery stands in the database.
function M:row(delivery)
  local row = self.db:first("SELECT state, attempts, uncertain, error, method, params FROM outbox WHERE id = $1",
    delivery.id)
  row.error = row.error and json.decode(row.error)
  return row
end

---How many of a bot are in a state.
function M:count(name, state)
  return self.db:first("SELECT count(*) AS n FROM outbox WHERE sender = $1 AND state = $2", "tg:" .. name, state).n
end

function M:close()
  for _, s in ipairs(self.senders) do s:close() end
  self.outlet:close()
end

return M
