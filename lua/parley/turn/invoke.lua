-- The middle of a turn: the invocation of the plugins that may take it, what comes back checked.

local apply = require "parley.turn.apply"
local chain = require "parley.turn.chain"
local circuit = require "parley.plugins.circuit"
local conversation = require "parley.turn.conversation"
local continue = require "parley.turn.continue"
local exchange = require "parley.turn.exchange"
local gate = require "parley.plugins.gate"
local history = require "parley.plugins.services.history"
local ids = require "parley.turn.ids"
local json = require "host.json"
local kv = require "parley.plugins.services.kv"
local limits = require "parley.limits"
local menu_press = require "parley.turn.menu_press"
local menus = require "parley.turn.menus"
local migrate = require "parley.turn.migrate"
local meters = require "parley.ops.meters"
local notices = require "parley.turn.notices"
local record = require "parley.turn.record"
local recurring = require "parley.turn.recurring"
local reset = require "parley.turn.reset"
local response_of = require "parley.turn.response"
local route = require "parley.turn.route"
local scheduled = require "parley.turn.scheduled"
local session = require "parley.turn.session"
local terms = require "parley.turn.terms"
local slow = require "parley.plugins.slow"
local task = require "host.task"
local time = require "host.time"
local utf8 = require "parley.util.utf8"

local M = {}

local ABOUT = json.shape { "invocation_id" }

---Raised, with `err`, when the turn can't go on.
M.Ended = {}

-- What has happened. An event of a client names itself in its payload, and the plugin it is for.
local function event_of(turn)
  if turn.job then
    local data = turn.job_data
    if data == nil then data = turn.job.data end
    return { type = "job", job = turn.job.job, id = turn.job.name, data = data }
  end
  if turn.continued then return { type = "continue" } end
  local message = turn.message
  if turn.menu_asked then return { type = "menu", menu = turn.menu_asked, message = message } end
  local event = { type = message.type, message = message }
  if message.type == "event" and message.payload then
    event.name, event.data = message.payload.name, message.payload.data
  end
  return event
end

---@param invited parley.Invited|nil
local function request_for(turn, plugin, invocation_id, deadline_ms, invited)
  local d, u = turn.dialog, turn.user
  local event, intent = event_of(turn), turn.intent
  if invited and invited.intent then
    intent = { name = invited.intent, confidence = 1, source = "plugin" }
  end
  return {
    invocation_id = invocation_id, attempt = 1, deadline_ms = deadline_ms, plugin = plugin.name,
    dialog = {
      id = d.id, channel = d.channel, locale = d.locale, reset_version = d.reset_version,
      state = session.of(turn, plugin) or {}, menu = menus.of(turn, plugin),
    },
    user = { id = u.id, role = u.role, locale = u.locale, name = u.name },
    event = event, intent = intent, config = terms.config(turn.terms, plugin),
    trace_id = turn.trace_id,
    invoked_by = invited and invited.by,
  }
end

-- What the services behind the door know of one invocation.
local Invocation = {}
Invocation.__index = Invocation

-- Before anything that the outside can see.
function Invocation:admit() return record.admit(self.db, self.turn) end

function Invocation:spend(usage) record.usage(self.turn, usage) end

local function invocation_for(self, turn, generation, plugin, id)
  return setmetatable({
    id = id, manifest = plugin.manifest, settings = plugin.settings, db = self.db,
    dialog_id = turn.dialog.id, dialog = turn.dialog, user = turn.user, trace_id = turn.trace_id,
    config = generation.config, llm = generation.llm, writes = {}, notices = {}, turn = turn,
    waited = {}, profile = plugin.profile, limits = self.limits,
    deadline = time.live() + plugin.manifest.limits.timeout_ms / 1000,
    blobs = self.blobs, channel = self.channels and self.channels[turn.dialog.channel],
  }, Invocation)
end

-- A database that does not take the message, or a worker that was faster with it, is no failure of
-- the plugin, and nobody answers in its place: the turn ends here.
local function end_if_lost(turn)
  if turn.lost then error(setmetatable({ err = turn.lost }, M.Ended), 0) end
end

local function ask(self, turn, generation, plugin, invited, id, delivery)
  local invocation = invocation_for(self, turn, generation, plugin, id)
  local ok, problem = migrate.run(turn, plugin)
  if not ok then return nil, problem end
  local request =
    request_for(turn, plugin, id, generation.config.turn_timeout_seconds * 1000, invited)
  -- A Lua plugin asks for it at the door when it wants it.
  if plugin.driver.effect and gate.allowed(plugin.manifest, "history") then
    local err
    request.history, err = history.read(self.db, turn.dialog)
    if not request.history then return nil, err end
  end
  local channel = invocation.channel
  if plugin.driver.effect and channel and channel.download
    and gate.allowed(plugin.manifest, "files") then
    request.files = self.links:of(turn, plugin.name)
  end
  local driver, code, moved = conversation.driver(self.pinned, turn, plugin)
  if not driver then
    turn.lost = code
    return nil, code
  end
  request.moved, turn.code = moved, code
  local since = time.mono()
  local response, err, attempts = driver:invoke(request, gate.door(invocation), delivery)
  local took = time.mono() - since
  if invocation.profile then invocation.profile:event(took) end
  slow.note(plugin, {
    event = request.event.type, seconds = took, waited = invocation.waited,
    limit = generation.config.slow_handler_seconds, trace_id = turn.trace_id,
    dialog_id = turn.dialog.id,
  }, self.log)
  turn.asked = { request = request, response = response }
  if response then
    response, err = response_of.check(plugin, response, session.of(turn, plugin))
  end
  if response then
    ok, err = recurring.check(self.db, turn, plugin, response.actions)
    if ok then ok, err = scheduled.check(self.db, turn, plugin, response.actions) end
    if not ok then response = nil end
  end
  if response then conversation.pin(response, code) else conversation.explain(turn, plugin, err) end
  if response and response.continue then
    response, err = continue.note(self.db, turn, plugin, id, response,
      generation.config.continue_seconds)
  end
  if response then
    for _, write in ipairs(invocation.writes) do
      turn.writes[#turn.writes + 1] = kv.statement(plugin.name, write)
    end
    for _, notice in ipairs(invocation.notices) do apply.notify(turn, plugin, notice) end
  end
  return response, err, attempts
end

-- One that is asked too often is left alone, as by its circuit; it has not failed, though.
local function within_limit(self, plugin)
  local verdict, err = self.limits:take("plugin", plugin.name)
  if err then return nil, err end
  if not verdict or verdict.allowed then return true end
  err = limits.refusal(verdict)
  err.plugin = plugin.name
  return nil, err
end

local function call(self, turn, generation, plugin, ...)
  -- Nobody stands behind the fallback: it is always asked.
  if plugin == generation.fallback then return ask(self, turn, generation, plugin, ...) end
  local ok, err = within_limit(self, plugin)
  if not ok then return nil, err, 0 end
  return circuit.call(plugin, ask, self, turn, generation, plugin, ...)
end

local function invoke(self, turn, generation, plugin, invited)
  if plugin.driver.effect then record.admit(self.db, turn) end
  local read, failure = session.load(self.db, turn, plugin)
  if not read then turn.lost = turn.lost or failure end
  end_if_lost(turn)
  local id, delivery = ids.invocation(turn, plugin.name)
  turn.given.asks = plugin.name
  task.trace(turn.trace_id) -- a job, or an update, has come without a request
  local begun, since = time.now_ms(), time.mono()
  local about = ABOUT(id)
  record.event_as(turn, plugin.name, "plugin_invocation_started", "info", about)
  turn.asked, turn.code = nil, nil
  local response, err, attempts = call(self, turn, generation, plugin, invited, id, delivery)
  end_if_lost(turn)
  local took = record.ms_since(since)
  turn.plugin_ms = (turn.plugin_ms or 0) + took
  meters.plugin(plugin.name, err and err.code, took / 1000)
  -- A conversation that goes on with other code says nothing about the versions on trial.
  local own_code = turn.code == nil or turn.code == plugin.hash
  if plugin.trial and own_code then self.counts:note(plugin, err, took) end
  turn.calls[#turn.calls + 1] = {
    id = id, plugin = plugin.name, attempt = attempts or 1,
    status = response and (response.continue and "queued" or "ok") or "failed", latency_ms = took,
    error_code = err and err.code, started_at = begun, finished_at = time.now_ms(),
  }
  exchange.record(generation.config, turn.calls[#turn.calls], turn.asked)
  if response then
    if not response.continue then
      record.event_as(turn, plugin.name, "plugin_invocation_completed", "info", about)
    end
    return response
  end
  record.failure(turn, plugin.name, err, id)
  self.log("warn", "plugin failed", {
    plugin = plugin.name, code = err.code, error = utf8.clip(err.message, record.MESSAGE_MAX),
    trace_id = turn.trace_id,
    dialog_id = turn.dialog.id,
  })
  return nil, err
end

-- What is answered in the place of a plugin that has failed.
---@return table|nil response
---@return parley.Plugin|nil stand_in that has given it; nil: the host itself
local function instead(self, turn, generation, plugin)
  local fallback, on_error = terms.fallback(turn.terms, generation), plugin.manifest.on_error
  if plugin == fallback then fallback = generation.fallback end -- that of a bot has one behind it
  if plugin == fallback or turn.job or on_error == "stop" then return nil end
  -- What comes late has no message that another plugin could answer.
  if on_error == "reply" or turn.continued then
    local text = notices.text("sorry", turn.user.locale)
    return { actions = json.array { { type = "send", text = text } } }
  end
  return invoke(self, turn, generation, fallback), fallback
end

-- Whether it is no surprise when a plugin fails now.
local function is_doubtful(plugin)
  return plugin.state == "degraded" or plugin.circuit.state ~= "closed"
end

-- The answer of the first candidate that takes the message. One that fails is the last, unless it
-- was known to be in trouble and another plugin fits, too.
local function first_answer(self, turn, generation)
  local fallback = terms.fallback(turn.terms, generation)
  local candidates = route.candidates(turn, generation)
  for i, plugin in ipairs(candidates) do
    local next_fits = candidates[i + 1] ~= nil and candidates[i + 1] ~= fallback
    local goes_on = next_fits and is_doubtful(plugin)
    local response, err = invoke(self, turn, generation, plugin)
    if response and not response.declined then
      turn.status = plugin == fallback and "fallback" or "answered"
      return response, plugin
    end
    if err and not goes_on then
      turn.failed = err
      local stand_in
      response, stand_in = instead(self, turn, generation, plugin)
      if response then
        turn.status = stand_in and "fallback" or "failed"
        return response, stand_in
      end
      break
    end
  end
  turn.status = "failed"
end

-- What an answer may need from here: see parley.turn.chain and parley.turn.continue.
local Calls = {}
Calls.__index = Calls

function Calls:find(action) return route.invited(self.turn, self.generation, action) end

function Calls:invoke(plugin, invited)
  return invoke(self.turns, self.turn, self.generation, plugin, invited)
end

function Calls:instead(failed)
  return instead(self.turns, self.turn, self.generation, failed)
end

-- Takes an answer into the turn, with those of the plugins that it invokes.
function Calls:settle(response, plugin)
  local turn = self.turn
  turn.plugin = plugin
  local parts = chain.unfold(turn, plugin, response, self)
  if #turn.continuations > 0 then turn.status = "queued" end
  return parts
end

---What is answered; turn.plugin and turn.status say by whom, and how that went.
---@return parley.Part[]|nil parts
---@return table|nil err of a late answer that is refused
function M.answer(self, turn, generation)
  local calls = setmetatable({ turns = self, turn = turn, generation = generation }, Calls)
  if turn.continued then return continue.parts(self.db, turn, generation, calls) end
  local response, plugin
  if turn.message then
    route.rules(turn, generation, self.log)
    response = route.verdict(turn)
    turn.status = response and "answered"
    local parts = not response
      and (reset.answer(turn, generation) or menu_press.answer(turn, generation, calls))
    if parts then return parts end
  end
  if not response then response, plugin = first_answer(self, turn, generation) end
  if not response then return {} end
  return calls:settle(response, plugin)
end

return M
