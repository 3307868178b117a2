-- Telegram: each bot is polled, and sends, in one worker of all; whoever else has something for its
-- people stores it, and says so.

local address = require "parley.channels.telegram.address"
local adopt = require "parley.channels.telegram.adopt"
local bulkhead = require "parley.util.bulkhead"
local business = require "parley.channels.telegram.business"
local chats = require "parley.channels.telegram.sending.chats"
local cluster = require "parley.cluster"
local commands = require "parley.channels.telegram.commands"
local crypto = require "host.crypto"
local fleet = require "parley.channels.telegram.fleet"
local incoming = require "parley.channels.telegram.incoming"
local inlet = require "parley.channels.telegram.inlet"
local intake = require "parley.channels.telegram.intake"
local json = require "host.json"
local kinds = require "parley.channels.telegram.update.kinds"
local menus = require "parley.channels.telegram.menus"
local meters = require "parley.ops.meters"
local outbox = require "parley.channels.outbox"
local outgoing = require "parley.channels.telegram.outgoing"
local outlet = require "parley.channels.telegram.sending.outlet"
local presses = require "parley.channels.telegram.presses"
local pulse = require "parley.channels.telegram.pulse"
local quiet = require "parley.util.quiet"
local render = require "parley.channels.telegram.render"
local runner = require "parley.channels.telegram.runner"
local shards = require "parley.channels.telegram.shards"
local special = require "parley.channels.telegram.special"
local task = require "host.task"
local typing = require "parley.channels.telegram.typing"
local users = require "parley.channels.telegram.users"

local M = {}
M.__index = M

local RETRY_S = 5
local ALIKE = 20 -- lines of the log with the same message in a minute
local DOWNLOADS = 16 -- at a time, in a worker

-- Which bots have something to send is asked once for all of them.
local function take_up(self, runners)
  while #runners > 0 and not self.stopped do
    local found, err = outbox.senders(self.db, "~")
    if found then
      local left = {}
      for _, row in ipairs(found) do left[row.sender] = true end
      for _, r in ipairs(runners) do task.spawn(r.take_up, r, left[r.sender.sender] == true) end
      return
    end
    self.log("error", "the outbox cannot be read", { error = err.message })
    task.sleep(RETRY_S)
  end
end

---@param deps {db: table, cluster: table, turn: table, log: function, master: string,
---  config: table, spool: table|nil, waiting: integer, per_address: integer} config: telegram of
---  parley.config; spool, waiting, per_address: of parley.channels.telegram.inlet
function M.new(deps)
  local self = setmetatable(deps, M)
  deps.log = quiet.new(deps.log, ALIKE)
  self.key = crypto.hmac_sha256(deps.master, "callbacks")
  self.senders, self.downloads = {}, bulkhead.new(DOWNLOADS)
  self.outlet = outlet.new { db = deps.db, log = deps.log, shared = deps.cluster.shared }
  self.users = users.new { db = deps.db, shared = deps.turn.shared }
  self.fleet = fleet.new { db = deps.db, master = deps.master, config = deps.config }
  self.commands = commands.new {
    db = deps.db, fleet = self.fleet, manager = deps.turn.manager, log = deps.log,
  }
  self.orders = {
    db = deps.db, vault = self.fleet.vault, url = deps.config.api,
    master = deps.master,
  }
  self.inlet = inlet.new {
    telegram = self, file = deps.spool, log = deps.log, waiting = deps.waiting,
    per_address = deps.per_address,
  }
  local function api(name) return self.fleet:api(name) end
  self.presses = presses.new { after = deps.config.press_seconds, api = api, log = deps.log }
  self.typing = typing.new { after = deps.config.typing_seconds, api = api }
  self.pulse = pulse.new { self.presses, self.typing }
  self.shards = shards.new {
    cluster = deps.cluster, each = function() return self.fleet:each() end,
    take_up = function(runners) take_up(self, runners) end,
    open = function(bot, lease)
      return runner.new {
        bot = bot, lease = lease, fleet = self.fleet, db = self.db, log = self.log,
        blobs = self.blobs,
        senders = self.senders, outlet = self.outlet, limits = self.config.limits,
        queue = self.turn.queue,
        take = function(...) return self:take(...) end,
        wanted = function() return self:wanted(bot) end,
      }
    end,
  }
  return self
end

---Makes updates durable and starts their turns: as parley.channels.telegram.intake says. Polls and
---webhooks bring them here.
---@param bot table
---@param updates table[]
---@param durable fun()|nil called when they are, before their turns begin
---@param acked boolean|nil they have been confirmed before
---@return integer|nil taken
---@return table|nil err
function M:take(bot, updates, durable, acked)
  if self.presses:note(bot.name, updates) then self.pulse:wake() end
  local ok, err = self.outlet:reopen("tg:" .. bot.name, chats.reopened(updates))
  if not ok then return nil, err end
  return intake.take(self, bot, updates, durable, acked)
end

---The kinds of updates that a bot asks Telegram for (allowed_updates), by what plugins want now.
---@param bot table
---@return string[]
function M:wanted(bot) return kinds.wanted(self.turn.manager.current.plugins, bot.plugins) end

---What the bot of a dialog sets for it.
---@param dialog_id string
---@return parley.Terms|nil terms nil: it is no dialog of a bot that is known here
function M:terms(dialog_id)
  local name = address.bot(dialog_id)
  return name and self.fleet:terms(name)
end

-- What there is to send for bots, from workers that cannot send.
local function look(self)
  local ok, err = self.outlet:look()
  if not ok then self.log("error", "the outbox cannot be read", { error = err.message }) end
end

local function adopt_main(self)
  if self.adopted or not self.config.token then return end
  local ok, err = adopt.run {
    db = self.db, vault = self.fleet.vault, master = self.master, token = self.config.token,
    log = self.log,
  }
  if not ok then error(err.message, 0) end
  self.adopted = true
end

local function follow_once(self)
  adopt_main(self)
  local changes, err = self.fleet:sync()
  if not changes then error(err.message, 0) end
  for _, change in ipairs(changes) do
    self.shards:follow(change)
    self.inlet:follow(change.bot)
  end
  self.inlet:begin()
end

local function follow(self)
  self.following = true
  while self.changed and not self.stopped do
    self.changed = false
    local good, problem = pcall(follow_once, self)
    if not good then
      self.log("error", "changes of bots cannot be followed", { error = tostring(problem) })
      self.changed = true
      task.sleep(RETRY_S)
    end
  end
  self.following = false
  self.commands:wake()
end

---The plugins that serve are others now.
function M:plugins_changed() self.commands:wake() end

---Follows what has changed of bots, without waiting; once more when it is at it already.
function M:follow()
  self.changed = true
  if not self.following then task.spawn(follow, self) end
end

---Starts the bots.
function M:begin()
  self.pulse:start()
  self.cluster:on("outbox", function() look(self) end)
  self.cluster:on("users", function() self.users:forget() end)
  self.cluster:on("bots", function() self:follow() end)
  self.changed = true
  task.spawn(function()
    follow(self)
    if self.stopped then return end
    self.shards:begin()
    self.cluster:lead("telegram_commands", function(lease) self.commands:run(lease) end)
  end)
end

---Takes no more updates; what was taken goes on.
function M:stop()
  self.stopped = true
  self.shards:stop()
end

---Sends nothing more. What is left is sent by whoever comes after.
function M:close()
  self.stopped = true
  self.inlet:close()
  self.pulse:close()
  self.shards:close()
  self.outlet:close()
end

local function came_here(turn) return turn.source ~= nil and turn.source:find "^tg:" ~= nil end

-- Messages that came another way were answered there.
local function is_ours(turn)
  return turn.job ~= nil or turn.continued ~= nil or turn.said ~= nil or came_here(turn)
end

-- What a message says of its place in Telegram.
local function context_of(turn)
  local context = turn.message and turn.message.context
  return context and context.telegram or {}
end

---A turn is under way in its dialog.
---@param given table of parley.turn
function M:begun(given)
  if not came_here(given) then return end
  self.typing:enter(given, given.dialog_id, context_of(given).business_connection_id)
  self.pulse:wake()
end

---It is over.
---@param given table
function M:ended(given) self.typing:leave(given) end

---Shows at once that the bot is typing, until the turn ends.
---@param turn table
---@return boolean shown false: nobody waits for this turn here
function M:show_typing(turn) return self.typing:now(turn.given) end

local function not_here()
  return nil, {
    code = "unavailable", message = "this dialog is of no bot that is here", retryable = false,
    op = "telegram",
  }
end

---Downloads a file that somebody has sent in a dialog of a bot.
---@param dialog_id string
---@param file_id string
---@param opts table of parley.channels.telegram.incoming
---@return parley.Blob|nil
---@return table|nil err
function M:download(dialog_id, file_id, opts)
  local place = address.place(dialog_id)
  local client = place and self.fleet:api(place.bot)
  if not client then return not_here() end
  local blob, err = self.downloads:within(opts.deadline, incoming.download, {
    api = client, blobs = self.blobs, local_files = self.config.local_files,
  }, file_id, opts)
  meters.telegram_file(place.bot, "down", err and err.code, blob and blob.size)
  if not blob then return nil, err end
  -- To send it back needs no upload.
  if opts.kind then
    self.db:commit { outgoing.remember("tg:" .. place.bot, blob.hash, opts.kind, file_id) }
  end
  return blob
end

---Calls a method of the Bot API for a plugin, in the place of the dialog of its turn.
---@param turn table
---@param method string of parley.schema.telegram
---@param params table|nil
---@param timeout number seconds
---@return any|nil result
---@return table|nil err
function M:ask(turn, method, params, timeout)
  local place = address.place(turn.dialog.id)
  local client = place and self.fleet:api(place.bot)
  if not client then return not_here() end
  local connection = business.of(self.db, place, turn)
  return client:call(method, special.own_params(method, params, place, connection), timeout)
end

-- The press that a turn answers.
local function query_of(turn)
  local payload = turn.message and turn.message.payload
  if not payload then return nil end
  if payload.name == "telegram.callback_query" then return payload.data.id end
  return payload.callback_query_id
end

---What a turn has to deliver, as part of its transaction.
---@param turn table with its actions
---@return table[]|nil statements
function M:deliver(turn)
  local place = is_ours(turn) and address.place(turn.dialog.id)
  if not place then return nil end
  local query, came = query_of(turn), context_of(turn)
  local connection = business.of(self.db, place, turn)
  if place.business and not connection then
    self.log("error", "nobody knows for which business this is said, and it is not", {
      dialog_id = turn.dialog.id, trace_id = turn.trace_id,
    })
    return nil
  end
  local calls, kept, left_out = render.calls(menus.actions(self.db, turn), {
    dialog_id = turn.dialog.id, place = place, key = self.key, query_id = query,
    query_answered = query ~= nil and not self.presses:claim(query),
    event = turn.message and turn.message.type == "event" and turn.message.payload or nil,
    message_id = came.message_id, business = connection,
  })
  if #left_out > 0 then
    self.log("warn", "Telegram has no such methods for the chat of a business", {
      dialog_id = turn.dialog.id, trace_id = turn.trace_id, methods = table.concat(left_out, " "),
    })
  end
  if #calls == 0 then return nil end
  local s = self.senders[place.bot]
  local deliveries = outbox.deliveries("tg:" .. place.bot, turn, calls)
  menus.keep(turn, calls, deliveries)
  turn.sender = s and self.outlet.dialogs:has_all(turn) and s or nil
  if turn.sender then s:expect(deliveries) end
  local out = outbox.inserts(deliveries, turn.finished_at)
  for _, k in ipairs(kept) do
    out[#out + 1] = {
      "INSERT INTO callbacks (id, dialog_id, plugin, data, created_at) VALUES ($1, $2, $3, $4, $5)",
      k.id, turn.dialog.id, k.plugin, json.encode(k.data), turn.finished_at,
    }
  end
  if not s then out[#out + 1] = cluster.bump "outbox" end
  turn.deliveries = deliveries
  return out
end

---The transaction of a turn is stored: its deliveries go out.
function M:stored(turn)
  local query = query_of(turn)
  if query then self.presses:done(query) end
  self.typing:leave(turn.given)
  self.outlet:stored(turn.dialog, turn.deliveries, turn.sender)
  if turn.deliveries and not self.senders[address.bot(turn.dialog.id)] then self.cluster:nudge() end
end

---The transaction of a turn has failed, or nobody knows whether it is stored: then its deliveries
---are found in the outbox.
function M.not_stored(_, turn)
  if turn.sender then turn.sender:forget(turn.deliveries) end
end

return M
