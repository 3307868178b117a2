-- A real core on a temporary database for the specs of a plugin: messages go in as a client sends
-- them, replies come back as a client gets them, and the time is the spec's.
--
--     local kit = require "parley.testkit"
--     local bot = kit.start()                  -- the plugin whose spec/ folder this file is in
--     assert.equal("hi", bot:say("/greet").text)
--     bot:press "Done"                              -- a button of the last reply
--     bot:advance(600)                              -- ten minutes later; jobs have fired
--     bot:stop()

local compile = require("parley.schema.compile").compile
local config = require "parley.config"
local core = require "parley.core"
local crypto = require "host.crypto"
local fakes = require "parley.testkit.fakes"
local fs = require "host.fs"
local json = require "host.json"
local log = require "parley.ops.log"
local schema = require "parley.schema.v1alpha"
local task = require "host.task"
local temporary = require "parley.util.temporary"
local time = require "host.time"

local M = {}
M.__index = M

local check_message = compile(schema.DialogMessageCreateV1)

local JOBS_S = 10 -- what the jobs that are due may take
local STEPS = 5000 -- of the clock, in one advance

-- The plugin's folder, from the file that has called start(): NAME/spec/x_spec.lua.
local function folder_of_caller()
  local source = debug.getinfo(3, "S").source:match "^@(.*)$"
  local dir = source and source:match "^(.*)/spec/[^/]*$"
  if source and source:find "^spec/[^/]*$" then dir = "." end
  if not dir then
    error("testkit.start: the caller is not in the spec/ of a plugin: give dir", 3)
  end
  return dir
end

---@class parley.TestkitOptions
---@field dir? string the plugin's folder; default: the one whose spec/ the caller is in
---@field config? table the operator's settings of the plugin
---@field conf? table of conf/parley.lua: other keys, {secrets = {...}}
---@field locale? string of the user, default "en"
---@field http? table<string, any> what other servers answer (parley.testkit.fakes); without it the
---  plugin reaches the network
---@field llm? any what the language model answers

---@param o parley.TestkitOptions|nil
---@return table bot raises when the plugin cannot be loaded
function M.start(o)
  o = o or {}
  local dir = assert(fs.realpath(o.dir or folder_of_caller()))
  local name = dir:match "([^/]+)$"
  local home = assert(temporary.folder())
  local cfg = assert(config.load(home, { getenv = function() end }))
  for key, value in pairs(o.conf or {}) do cfg[key] = value end
  cfg.plugins, cfg.database_scratch = { [name] = o.config or {} }, true
  cfg.plugin_folders = { [name] = dir }
  cfg.again = function() return cfg end
  local requests, chats
  if o.http then cfg.http_request, requests = fakes.http(o.http) end
  log.level(fs.getenv "PARLEY_LOG_LEVEL" or "error")
  local self = setmetatable({
    home = home, name = name, locale = o.locale or "en", requests = requests or {},
  }, M)
  local err
  self.core, err = core.new(cfg)
  if not self.core then error(err.message, 2) end
  if o.llm ~= nil then self.core.manager.current.llm.mock, chats = fakes.llm(o.llm) end
  self.chats = chats or {}
  self.core.limits.clock = function() return time.now_ms() / 1000 end -- the spec's, too
  assert(self.core:begin())
  return self
end

-- A reply as a spec looks at it: DialogMessageResponseV1, and its buttons in one list.
local function with_buttons(self, reply)
  reply.buttons = {}
  for _, action in ipairs(reply.actions) do
    for _, row in ipairs(action.buttons or action.keyboard and action.keyboard.rows or {}) do
      for _, button in ipairs(row) do reply.buttons[#reply.buttons + 1] = button end
    end
  end
  if #reply.buttons > 0 then self.last_buttons = reply.buttons end
  return reply
end

---Sends any message.
---@param message table DialogMessageCreateV1; the user and the type have defaults
---@param o {dialog: string?, user: string?}|nil
---@return table reply
function M:send(message, o)
  o = o or {}
  message.user = message.user or { external_id = o.user or "tester" }
  message.type, message.locale = message.type or "text", message.locale or self.locale
  local body = json.encode(message)
  local errors = check_message(assert(json.decode(body)))
  if errors then error(errors[1].path .. ": " .. errors[1].message, 2) end
  local turn, err = self.core.turn:receive(o.dialog or "dialog", message, {
    trace_id = crypto.trace_id(), body = body .. crypto.uuid7(),
  })
  if not turn then error(err.message, 2) end
  return with_buttons(self, assert(json.decode(turn.response_text)))
end

---Sends a text.
---@param text string
---@param o {dialog: string?, user: string?, locale: string?}|nil
---@return table reply {text, actions, buttons, status, plugin, intent, ...}
function M:say(text, o)
  return self:send({ text = text, locale = o and o.locale }, o)
end

---Presses a button of the last reply that had some.
---@param label string|integer its text, a part of it, or its number
---@return table reply
function M:press(label, o)
  for i, button in ipairs(self.last_buttons or {}) do
    if i == label or (type(label) == "string" and button.text:find(label, 1, true)) then
      if not button.data then return self:say(button.text, o) end
      return self:send({
        type = "callback", payload = { plugin = button.plugin, data = button.data },
      }, o)
    end
  end
  local names = {}
  for i, button in ipairs(self.last_buttons or {}) do names[i] = "'" .. button.text .. "'" end
  error(("there is no button '%s'; there are: %s"):format(tostring(label),
    #names > 0 and table.concat(names, ", ") or "none"), 2)
end

local function replies_after(self, dialog, id)
  local rows = assert(self.core.db:query("SELECT id, payload FROM messages WHERE dialog_id = $1 "
    .. "AND sender_type = 'plugin' AND id > $2 ORDER BY id", dialog, id))
  local out = {}
  for i, row in ipairs(rows) do
    local reply = json.decode(row.payload)
    local texts = {}
    for _, action in ipairs(reply.actions) do texts[#texts + 1] = action.text end
    reply.text = table.concat(texts, "\n\n")
    out[i] = with_buttons(self, reply)
  end
  return out
end

local function due(self)
  local row = assert(self.core.db:first("SELECT count(*) AS n FROM jobs WHERE state = 'open' "
    .. "AND run_at <= $1", time.now_ms()))
  return row.n > 0 or self.core.jobs.count > 0
end

-- Fires what is due now.
local function fire(self)
  self.core.jobs:wake()
  local left = JOBS_S
  while due(self) do
    if left <= 0 then error("jobs are still due after " .. JOBS_S .. " s", 3) end
    task.sleep(0.005)
    left = left - 0.005
  end
end

-- The time goes from one job to the next: each sees the clock as it is when it is due, and what one
-- schedules fires in its turn.
local function pass(self, till)
  for _ = 1, STEPS do
    local row = self.core.db:first "SELECT min(run_at) AS at FROM jobs WHERE state = 'open'"
    if not row.at or row.at > till then
      time.advance(math.max(0, till - time.now_ms()) / 1000)
      return fire(self)
    end
    time.advance(math.max(0, row.at - time.now_ms()) / 1000)
    fire(self)
  end
  error(("more than %d jobs would fire: let less time pass"):format(STEPS), 3)
end

---Lets time pass; jobs that are due by then have fired when this returns.
---@param seconds number
---@param dialog string|nil
---@return table[] replies that came by themselves in the dialog
function M:advance(seconds, dialog)
  dialog = dialog or "dialog"
  local last = self.core.db:first("SELECT max(id) AS id FROM messages WHERE dialog_id = $1", dialog)
  pass(self, time.now_ms() + seconds * 1000)
  return replies_after(self, dialog, last and last.id or "")
end

---The jobs that wait, the next one first.
---@return {job: string, id: string|nil, every: number|nil, data: any, dialog: string,
---  seconds: number}[] every: seconds, of one that comes again; seconds: from now
function M:jobs()
  local rows = assert(self.core.db:query(
    "SELECT job, data, dialog_id, run_at, name, every_ms FROM jobs WHERE state = 'open' "
      .. "ORDER BY run_at"))
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = {
      job = row.job, id = row.name, every = row.every_ms and row.every_ms / 1000,
      data = row.data and json.decode(row.data), dialog = row.dialog_id,
      seconds = (row.run_at - time.now_ms()) / 1000,
    }
  end
  return out
end

---The plugin's session in a dialog, or that of the user when its scope is "user".
---@return table
function M:session(dialog)
  local of_user = self.core.db:first("SELECT state FROM sessions WHERE plugin = $1", self.name)
  if of_user then return json.decode(of_user.state) end
  local row = self.core.db:first("SELECT state FROM dialogs WHERE id = $1", dialog or "dialog")
  return row and row.state and json.decode(row.state)[self.name] or {}
end

---Why the last event of the plugin failed, nil when it did not.
---@return {code: string, message: string}|nil
function M:last_error()
  local row = self.core.db:first("SELECT details FROM audit_logs WHERE source = $1 "
    .. "AND action IN ('plugin_failed', 'plugin_timeout') ORDER BY id DESC LIMIT 1", self.name)
  return row and json.decode(row.details)
end

function M:stop()
  self.core:close()
  temporary.remove(self.home)
end

return M
