-- A conversation at a terminal, or over a pipe: lines go out as messages, replies come back as text
-- with numbered buttons. Whom it talks to is given: a server (parley chat) or a core in this
-- process (parley plugin run).

local fs = require "host.fs"
local json = require "host.json"
local stdin = require "host.stdin"
local task = require "host.task"
local texts = require "parley.cli.texts"

local M = {}
M.__index = M

local POLL_S = 2

---@class parley.Conversation
---@field send fun(message: table): table|nil, table|nil DialogMessageCreateV1 without user ->
---  DialogMessageResponseV1
---@field reset fun(): boolean|nil, table|nil
---@field poll? fun(): table[]|nil new replies that nobody has waited for: {actions}
---@field form? "text"|"json" json: one document per line on stdout
---@field trace? boolean show who answered; default: at a terminal

---@param o parley.Conversation
function M.new(o)
  local self = setmetatable(o, M)
  self.language = texts.language()
  self.t = texts.of(self.language)
  self.terminal = fs.isatty(0) and fs.isatty(1) and self.form ~= "json"
  if self.trace == nil then self.trace = self.terminal end
  self.buttons = {}
  return self
end

local function dim(self, text)
  return self.terminal and "\27[2m" .. text .. "\27[0m" or text
end

function M:prompt()
  if self.terminal then io.stdout:write "> " end
  io.stdout:flush()
end

---A line for the person, not part of the conversation.
function M:note(text) io.stderr:write(dim(self, text), "\n") end

local function round(ms) return ms < 10 and ("%.1f"):format(ms) or ("%d"):format(ms + 0.5) end

local function trace_of(self, r)
  local out = {}
  if r.plugin then
    out[#out + 1] = self.t("plugin", r.plugin.name)
  elseif r.status == "answered" then
    out[#out + 1] = self.t "rules"
  end
  if r.status == "fallback" or r.status == "failed" then out[#out + 1] = self.t(r.status) end
  if r.intent and r.intent.name then
    out[#out + 1] = self.t("intent", r.intent.name, r.intent.confidence * 100, r.intent.source)
  end
  out[#out + 1] = self.t("took", round(r.latency_ms.total), round(r.latency_ms.plugin))
  return table.concat(out, " · ")
end

-- Control characters of a reply could rewrite the terminal.
local function plain(text) return (text:gsub("[%z\1-\8\11-\31\127]", "?")) end

local function print_actions(self, actions)
  local shown = false
  for _, action in ipairs(actions) do
    if action.type == "send" or action.type == "edit" then
      io.stdout:write(plain(action.text or "[" .. action.type .. "]"), "\n")
      shown = true
      if action.buttons and #action.buttons > 0 then self.buttons = {} end
      for _, row in ipairs(action.buttons or {}) do
        for _, button in ipairs(row) do
          self.buttons[#self.buttons + 1] = button
          local where = button.url and " " .. plain(button.url) or ""
          io.stdout:write(("  [%d] %s%s\n"):format(#self.buttons, plain(button.text), where))
        end
      end
    end
  end
  return shown
end

---Shows a reply.
function M:show(reply)
  if self.form == "json" then
    io.stdout:write(json.encode(reply, { sorted = true }), "\n")
    io.stdout:flush()
    return
  end
  if not print_actions(self, reply.actions) then io.stdout:write(self.t "no_reply", "\n") end
  if self.trace and reply.latency_ms then self:note(trace_of(self, reply)) end
  io.stdout:flush()
end

local COMMANDS = {
  ["/help"] = function(self) self:note(self.t "help") end,
  ["/trace"] = function(self)
    self.trace = not self.trace
    self:note(self.t(self.trace and "trace_on" or "trace_off"))
  end,
  ["/new"] = function(self)
    local ok, err = self.reset()
    self:note(ok and self.t "new" or err.message)
  end,
  ["/quit"] = function(self) self.over = true end,
}

-- A number presses a button of the last reply that had some.
local function message_of(self, line)
  local number = #self.buttons > 0 and tonumber(line:match "^%d+$")
  if not number then return { type = "text", text = line } end
  local button = self.buttons[number]
  if not button then return nil end
  if not button.data then return { type = "text", text = button.text } end
  return { type = "callback", payload = { plugin = button.plugin, data = button.data } }
end

local function handle(self, line)
  -- Over a pipe every line is a message: a script means what it says.
  if self.terminal and COMMANDS[line] then return COMMANDS[line](self) end
  local message = message_of(self, line)
  if not message then return self:note(self.t("no_button", tonumber(line))) end
  message.locale = self.language
  self.busy = true
  local reply, err = self.send(message)
  self.busy = false
  if not reply then
    self.failed = err
    return self:note("parley: " .. err.message)
  end
  self:show(reply)
end

local function watch(self)
  while true do
    task.sleep(POLL_S)
    local list = not self.busy and self.poll() or {}
    for _, reply in ipairs(list) do
      if self.terminal then io.stdout:write "\r\27[K" end
      self:show(reply)
      self:prompt()
    end
  end
end

---Talks until the input ends.
---@return integer exit code: 0, or 74 when the last message could not be sent
function M:run()
  if self.terminal then self:note(self.t "welcome") end
  local watcher = self.poll and self.terminal and task.spawn(watch, self)
  while not self.over do
    self:prompt()
    local line, err = stdin.read_line()
    if not line then
      if err.code ~= "closed" then io.stderr:write("parley: ", err.message, "\n") end
      break
    end
    self.failed = nil
    if line:find "%S" then handle(self, line) end
  end
  if watcher then watcher:cancel() end
  if self.terminal then io.stdout:write "\n" end
  return self.failed and 74 or 0
end

return M
