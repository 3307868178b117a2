-- The actions that a plugin has answered, applied to the turn: jobs, events, what the channel does.

local crypto = require "host.crypto"
local json = require "host.json"
local keyboards = require "parley.turn.keyboards"
local menus = require "parley.turn.menus"
local record = require "parley.turn.record"
local say = require "parley.turn.say"
local time = require "host.time"

local M = {}

local RESPONSE = json.shape({
  "dialog_id", "message_id", "status", "reset_version", "actions", "reply_message_id", "text",
  "plugin", "intent", "usage", "latency_ms", "trace_id",
}, { "actions", "plugin", "latency_ms" })
local LATENCY = json.shape { "total", "plugin" }

local function schedule(turn, plugin, action)
  local after = action["in"] or action.every or 0
  local at = math.floor(action.at and action.at * 1000 or time.now_ms() + after * 1000)
  turn.jobs[#turn.jobs + 1] = {
    id = crypto.uuid7(), plugin = plugin.name, job = action.job, data = action.data, run_at = at,
    data_version = plugin.manifest.data_version,
    name = action.id or action.every and action.job or nil,
    every_ms = action.every and math.floor(action.every * 1000), due_at = action.every and at,
  }
end

---What a plugin says in another dialog: a job of that dialog.
---@param turn table
---@param plugin parley.Plugin
---@param notice {dialog_id: string, actions: table[]}
function M.notify(turn, plugin, notice)
  turn.jobs[#turn.jobs + 1] = {
    id = crypto.uuid7(), plugin = plugin.name, job = say.JOB, run_at = time.now_ms(),
    dialog_id = notice.dialog_id, data = { actions = notice.actions },
    data_version = plugin.manifest.data_version,
  }
end

-- A button comes back to the plugin that has made it, whatever has been said since.
local function sign_buttons(plugin, rows)
  for _, row in ipairs(rows) do
    for _, button in ipairs(row) do
      button.plugin = button.data and plugin.name or nil
    end
  end
end

-- What the channel gets as it is.
local function pass(turn, plugin, action, out)
  if action.buttons and plugin then sign_buttons(plugin, action.buttons) end
  if action.keyboard then keyboards.take(turn, plugin, action) end
  if action.type == "send" then
    action.menu = nil -- the host's to say
    menus.bury(turn)
  end
  out[#out + 1] = action
end

local function part_of(turn, plugin, actions, out)
  for _, action in ipairs(actions) do
    if action.type == "schedule" then
      schedule(turn, plugin, action)
    elseif action.type == "unschedule" then
      turn.jobs[#turn.jobs + 1] = { plugin = plugin.name, name = action.id }
    elseif action.type == "event" then
      record.plugin_event(turn, plugin.name, action.name, "info", action.data)
    elseif action.type == "set_locale" then
      turn.choice = { locale = action.locale }
    elseif action.type == "handoff" then
      turn.dialog.status = "handoff"
    elseif action.type == "close" then
      turn.dialog.status = "closed"
    elseif action.type == "menu" then
      if action.close then menus.close(turn, out) else menus.show(turn, plugin, action, out) end
    elseif action.type == "keyboard" then
      local shown = keyboards.show(turn, plugin, action)
      if shown then menus.bury(turn) end
      out[#out + 1] = shown
    else
      pass(turn, plugin, action, out)
    end
  end
end

---Actions for the host are carried out by the commit; the rest is for the channel.
---@param turn table gets `actions` and `text`
---@param parts parley.Part[]
function M.actions(turn, parts)
  local out, texts = json.array(), {}
  for _, part in ipairs(parts) do part_of(turn, part.plugin, part.actions, out) end
  for _, action in ipairs(out) do
    if action.type == "send" and action.text then texts[#texts + 1] = action.text end
  end
  turn.actions, turn.text = out, table.concat(texts, "\n\n")
end

-- The members about a plugin are the same in all answers.
local described = setmetatable({}, { __mode = "k" })

local function describe(plugin)
  local text = described[plugin]
  if not text then
    text = json.encode { name = plugin.name, version = plugin.manifest.version }
    described[plugin] = text
  end
  return text
end

---@param turn table
---@param actions string turn.actions as JSON
---@return string DialogMessageResponseV1 as JSON
function M.response(turn, actions)
  return RESPONSE(turn.dialog.id, turn.message_id or turn.inbound_id, turn.status,
    turn.dialog.reset_version, actions, turn.reply_id, turn.text,
    turn.plugin and describe(turn.plugin), turn.intent, turn.usage,
    LATENCY(record.ms_since(turn.since), turn.plugin_ms or 0), turn.trace_id)
end

---@return table TurnActionsResponseV1
function M.late_response(turn)
  return {
    dialog_id = turn.dialog.id, invocation_id = turn.continued.invocation_id, status = turn.status,
    reset_version = turn.dialog.reset_version, reply_message_id = turn.reply_id,
    trace_id = turn.trace_id,
  }
end

return M
