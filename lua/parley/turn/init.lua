-- A turn: one message in, its effects and its answer out.
--
-- A quick turn is one transaction. The message is made durable on its own, before, only when a
-- plugin
-- is about to do something that the outside can see (or to wait): a crash before that point loses
-- nothing that was acknowledged, and after it the turn is taken up again from the inbox.

local commit = require "parley.turn.commit"
local crypto = require "host.crypto"
local gate = require "parley.plugins.gate"
local json = require "host.json"
local load = require "parley.turn.load"
local meters = require "parley.ops.meters"
local nlu = require "parley.nlu.mock"
local time = require "host.time"

local M = {}
M.__index = M

---@param deps {db: table, lanes: table, manager: table, rules:
--- function|nil, config: table, log: table}
function M.new(deps)
  return setmetatable(deps, M)
end

local function mono_ms(since) return math.floor((time.mono() - since) * 1e6 + 0.5) / 1e3 end

-- Makes the message durable, once.
local function admit(self, turn)
  if turn.admitted then return true end
  local ok, err = self.db:commit { commit.admit_statement(turn) }
  if not ok then return nil, err end
  turn.admitted = true
  return true
end

local function event(turn, source, action, severity, details)
  turn.events[#turn.events + 1] = {
    source = source, action = action, severity = severity, details = details, at = time.now_ms(),
  }
end

-- choosing ----------------------------------------------------------------------------------------

local function plugin_state(turn, name)
  return turn.dialog.state[name] or {}
end

-- The plugin whose conversation is under way.
local function owner(turn)
  return turn.dialog.state.__owner
end

local function choose(self, turn, generation)
  local message = turn.message
  if self.rules then turn.verdict = self.rules(message, turn) end
  local text = message.text
  -- A command says itself what it is.
  if message.type == "text" and text and text:byte(1) ~= 47 then
    turn.intent = nlu.classify(generation.intents, text, { locale = turn.user.locale })
  end
  local list = generation.chooser:choose {
    text = text, type = message.type, payload = message.payload,
    channel = turn.dialog.channel, role = turn.user.role, locale = turn.user.locale,
    owner = owner(turn), state = owner(turn) and "conversation" or "idle",
    intent = turn.intent, verdict = turn.verdict,
  }
  local fallback = generation.chooser.by_name[self.config.fallback_plugin]
  for i = #list, 1, -1 do
    if list[i] == fallback then table.remove(list, i) end
  end
  list[#list + 1] = fallback
  return list
end

-- invoking ----------------------------------------------------------------------------------------

local function request_for(turn, plugin, invocation_id, deadline_ms)
  local d, u = turn.dialog, turn.user
  local request_event = turn.event or { type = turn.message.type, message = turn.message }
  return {
    invocation_id = invocation_id, attempt = 1, deadline_ms = deadline_ms, plugin = plugin.name,
    dialog = {
      id = d.id, channel = d.channel, locale = d.locale, reset_version = d.reset_version,
      state = plugin_state(turn, plugin.name),
    },
    user = { id = u.id, role = u.role, locale = u.locale, name = u.name },
    event = request_event, intent = turn.intent, config = plugin.config, trace_id = turn.trace_id,
  }
end

local function size_of(actions)
  local text = json.encode(actions)
  return text and #text
end

-- A response of a plugin is input from outside.
local function check_response(plugin, r)
  local function bad(what)
    return nil, {
      code = "invalid_response", message = what, retryable = false, plugin = plugin.name,
    }
  end
  if type(r) ~= "table" then return bad "an object was expected" end
  if type(r.actions) ~= "table" then return bad "actions: a list was expected" end
  local size = size_of(r.actions)
  if not size then return bad "actions: cannot be written as JSON" end
  if size > plugin.manifest.limits.reply_bytes then
    return nil, {
      code = "too_large", retryable = false, plugin = plugin.name,
      message = ("the answer has %d bytes, at most %d are allowed (limits.reply_bytes)")
        :format(size, plugin.manifest.limits.reply_bytes),
    }
  end
  for i, action in ipairs(r.actions) do
    if type(action) ~= "table" or type(action.type) ~= "string" then
      return bad(("actions[%d].type: a text was expected"):format(i))
    end
    if action.type == "send" and type(action.text) ~= "string" and not action.photo
      and not action.document then
      return bad(("actions[%d].text: a text was expected"):format(i))
    end
  end
  if r.state ~= nil and type(r.state) ~= "table" then return bad "state: an object was expected" end
  return r
end

local function invoke(self, turn, plugin)
  local id = crypto.uuid7()
  local begun, since = time.now_ms(), time.mono()
  event(turn, plugin.name, "plugin_invocation_started", "info", { invocation_id = id })
  local door = gate.door {
    manifest = plugin.manifest, dialog_id = turn.dialog.id, trace_id = turn.trace_id,
    invocation_id = id, db = self.db, user = turn.user, config = self.config,
    admit = function() return admit(self, turn) end,
  }
  local request = request_for(turn, plugin, id, self.config.turn_timeout_seconds * 1000)
  local response, err = plugin.driver:invoke(request, door)
  if response then response, err = check_response(plugin, response) end
  local took = mono_ms(since)
  turn.plugin_ms = (turn.plugin_ms or 0) + took
  meters.plugin(plugin.name, err and err.code, took / 1000)
  turn.calls[#turn.calls + 1] = {
    id = id, plugin = plugin.name, attempt = 1, status = response and "ok" or "failed",
    latency_ms = took, error_code = err and err.code, started_at = begun,
    finished_at = time.now_ms(),
  }
  if response then
    event(turn, plugin.name, "plugin_invocation_completed", "info", { invocation_id = id })
    return response
  end
  local action = err.code == "timeout" and "plugin_timeout" or "plugin_failed"
  event(turn, plugin.name, action, "error",
    { invocation_id = id, code = err.code, message = err.message })
  self.log("warn", "plugin failed", {
    plugin = plugin.name, code = err.code, error = err.message, trace_id = turn.trace_id,
    dialog_id = turn.dialog.id,
  })
  return nil, err
end

-- The first candidate that takes the message. One that fails is followed by the fallback.
local function answer(self, turn, generation)
  local fallback = generation.chooser.by_name[self.config.fallback_plugin]
  local list = choose(self, turn, generation)
  for _, plugin in ipairs(list) do
    local response, err = invoke(self, turn, plugin)
    if response and not response.declined then
      turn.plugin = plugin
      turn.status = (plugin == fallback or turn.failed) and "fallback" or "answered"
      return response
    end
    if err then
      turn.failed = err
      if plugin.manifest.on_error == "stop" then break end
      if plugin ~= fallback then
        local second = invoke(self, turn, fallback)
        if second then
          turn.plugin, turn.status = fallback, "fallback"
          return second
        end
      end
      break
    end
  end
  turn.status = "failed"
  return { actions = json.array(), state = {} }
end

-- applying ----------------------------------------------------------------------------------------

local function apply_state(turn, plugin, patch)
  if not plugin or not patch then return end
  local state = turn.dialog.state[plugin.name] or {}
  for key, value in pairs(patch) do
    if value == json.null then value = nil end
    state[key] = value
  end
  turn.dialog.state[plugin.name] = next(state) ~= nil and state or nil
  -- Whoever waits for the next message in a state of its own gets it first.
  if state.__state then
    turn.dialog.state.__owner = plugin.name
  elseif turn.dialog.state.__owner == plugin.name then
    turn.dialog.state.__owner = nil
  end
end

local function schedule(turn, plugin, action)
  local now = time.now_ms()
  local at = action.at and action.at * 1000 or now + (action["in"] or 0) * 1000
  turn.jobs[#turn.jobs + 1] = {
    id = crypto.uuid7(), plugin = plugin.name, job = action.job, data = action.data,
    run_at = math.floor(at),
  }
end

-- Actions for the host are carried out by the commit; the rest is for the channel.
local function apply_actions(turn, plugin, actions)
  local out, texts = json.array(), {}
  for _, action in ipairs(actions) do
    if action.type == "schedule" then
      schedule(turn, plugin, action)
    elseif action.type == "event" then
      event(turn, plugin.name, action.name, "info", action.data)
    elseif action.type == "handoff" then
      turn.dialog.status = "handoff"
    elseif action.type == "close" then
      turn.dialog.status = "closed"
    else
      out[#out + 1] = action
      if action.type == "send" and action.text then texts[#texts + 1] = action.text end
    end
  end
  turn.actions, turn.text = out, table.concat(texts, "\n\n")
end

local function build_response(turn)
  local p = turn.plugin
  return {
    dialog_id = turn.dialog.id, message_id = turn.message_id or turn.inbound_id,
    status = turn.status, reset_version = turn.dialog.reset_version, actions = turn.actions,
    reply_message_id = turn.reply_id, text = turn.text,
    plugin = p and { name = p.name, version = p.manifest.version } or nil,
    intent = turn.intent,
    latency_ms = { total = mono_ms(turn.since), plugin = turn.plugin_ms or 0 },
    trace_id = turn.trace_id,
  }
end

-- the turn ----------------------------------------------------------------------------------------

local function prepare(self, turn)
  local err
  if turn.message_id then
    local earlier
    earlier, err = load.earlier(self.db, turn.source, turn.key)
    if err then return nil, err end
    if earlier and earlier.body_hash ~= turn.body_hash then
      return nil, {
        code = "idempotency_mismatch", status = 409,
        message = "message_id '" .. turn.message_id .. "' was used for another message",
      }
    end
    if earlier and earlier.state == "done" then
      turn.response_text, turn.replayed = earlier.response, true
      return true
    end
    -- Open: its turn was cut off, by a crash. This is the retry that finishes it.
    if earlier then turn.admitted = true end
  end
  turn.dialog, err = load.dialog(self.db, turn.dialog_id)
  if err then return nil, err end
  turn.user, err = load.user(self.db, turn.message.user, turn.message.locale or self.config.locale)
  if not turn.user then return nil, err end
  turn.dialog = turn.dialog or load.new_dialog(turn.dialog_id, turn.message)
  turn.user.locale = turn.message.locale or turn.user.locale or self.config.locale
  return true
end

local function run(self, turn)
  local ok, err = prepare(self, turn)
  if not ok then return nil, err end
  if turn.replayed then return turn end

  local generation = self.manager:hold()
  local good, response = pcall(answer, self, turn, generation)
  self.manager:release(generation)
  if not good then error(response, 0) end

  apply_state(turn, turn.plugin, response.state)
  apply_actions(turn, turn.plugin, response.actions)
  turn.finished_at = time.now_ms()
  turn.reply_id = crypto.uuid7()
  turn.reply_text = json.encode {
    actions = turn.actions, in_reply_to = turn.inbound_id,
    plugin = turn.plugin and turn.plugin.name,
    status = turn.status,
  }
  turn.response_text = json.encode(build_response(turn))
  if turn.idempotency then turn.also = { turn.idempotency(turn.response_text) } end
  ok, err = self.db:commit(commit.statements(turn))
  if not ok then return nil, err end
  return turn
end

---Takes one message through its turn, after those of its dialog that came before.
---@param dialog_id string
---@param message table DialogMessageCreateV1, validated
---@param opts {trace_id: string, body: string, idempotency: function|nil}
---@return table|nil turn {response_text, status, replayed}
---@return table|nil err {code, message, status?}
function M:receive(dialog_id, message, opts)
  local inbound_id = crypto.uuid7()
  local turn = {
    dialog_id = dialog_id, message = message, message_id = message.message_id,
    inbound_id = inbound_id, source = "dialog:" .. dialog_id,
    key = message.message_id or inbound_id,
    body_hash = crypto.hex(crypto.sha256(opts.body)):sub(1, 32), trace_id = opts.trace_id,
    received_at = time.now_ms(), since = time.mono(), calls = {}, events = {}, jobs = {},
    idempotency = opts.idempotency,
  }
  turn.inbound_text = json.encode(message)
  local ok, err = self.lanes:enter(dialog_id, self.config.turn_timeout_seconds)
  if not ok then
    return nil, { code = err.code == "busy" and "dialog_busy" or err.code, status = 429,
      message = err.message, retry_after = 1 }
  end
  local good, result, failure = pcall(run, self, turn)
  self.lanes:leave(dialog_id)
  if not good then error(result, 0) end
  if result then
    meters.turns:with(result.replayed and "replayed" or result.status):inc()
    meters.turn_seconds:observe(time.mono() - turn.since)
  end
  return result, failure
end

return M
