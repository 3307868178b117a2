-- A conversation at a terminal, or over a pipe: lines go out as messages, replies come back as text
-- with numbered buttons. Whom it talks to is given: a server (parley chat) or a core in this
-- process (parley plugin run).

local exit = require "parley.cli.exit"
local fs = require "host.fs"
local json = require "host.json"
local replies = require "parley.cli.replies"
local stdin = require "host.stdin"
local task = require "host.task"
local texts = require "parley.cli.texts"

local M = {}
M.__index = M

local POLL_S = 2
local TYPING_AFTER_S = 0.3 -- what comes sooner needs no sign that it will
local CLEAR_LINE = "\r\27[K"

---@class parley.Conversation
---@field send fun(message: table): table|nil, table|nil DialogMessageCreateV1 without user ->
---  DialogMessageResponseV1
---@field reset fun(): boolean|nil, table|nil
---@field poll? fun(): table[]|nil the latest replies: {id, actions}; those that nobody has seen yet
---  are shown
---@field form? "text"|"json" json: one document per line on stdout
---@field words? string what may be said, for the beginning
---@field trace? boolean show who answered; default: at a terminal

---@param o parley.Conversation
function M.new(o)
  local self = setmetatable(o, M)
  self.language = texts.language()
  self.t = texts.of(self.language)
  self.terminal = fs.isatty(0) and fs.isatty(1) and self.form ~= "json"
  local no_color = fs.getenv "NO_COLOR"
  self.dims = self.terminal and fs.isatty(2) and (no_color == nil or no_color == "")
  if self.trace == nil then self.trace = self.terminal end
  self.buttons, self.shown = {}, {}
  return self
end

function M:prompt()
  if self.terminal then io.stdout:write "> " end
  io.stdout:flush()
end

---A line for the person, not part of the conversation.
function M:note(text)
  io.stdout:flush()
  io.stderr:write(self.dims and "\27[2m" .. text .. "\27[0m" or text, "\n")
end

---A line for the person that comes by itself: the prompt is below it again.
function M:tell(text)
  if self.terminal then io.stdout:write(CLEAR_LINE) end
  self:note(text)
  self:prompt()
end

-- Whether it says something below which there are no buttons: a question may be it, whose answer is
-- a number.
local function has_no_buttons(actions)
  local said = false
  for _, action in ipairs(actions) do
    if action.buttons and #action.buttons > 0 or action.keyboard then return false end
    said = said or action.type == "send" or action.type == "menu"
  end
  return said
end

---Shows a reply.
---@param reply table
---@param answer boolean|nil to what the person has written: buttons from before it are over
function M:show(reply, answer)
  if self.form == "json" then
    io.stdout:write(json.encode(reply, { sorted = true }), "\n")
    io.stdout:flush()
    return
  end
  if answer and has_no_buttons(reply.actions) then self.buttons = {} end
  local lines = replies.lines(reply.actions, self.buttons, self.t)
  io.stdout:write(#lines > 0 and table.concat(lines, "\n") or self.t "no_reply", "\n")
  if self.trace and reply.latency_ms then self:note(replies.trace(reply, self.t)) end
  io.stdout:flush()
end

---What was said before this conversation is not shown.
---@param list {id: string}[]
function M:skip(list)
  for _, reply in ipairs(list) do self.shown[reply.id] = true end
end

local COMMANDS = {
  ["/help"] = function(self) self:note(self.t "help") end,
  ["/trace"] = function(self)
    self.trace = not self.trace
    self:note(self.t(self.trace and "trace_on" or "trace_off"))
  end,
  ["/new"] = function(self)
    local ok, err = self.reset()
    self.buttons = {}
    self:note(ok and self.t "new" or err.message)
  end,
  ["/quit"] = function(self) self.over = true end,
}

-- A number presses a button, when the last answer has some. Returns a message, or nil and what to
-- tell the person.
local function message_of(self, line)
  local number = #self.buttons > 0 and tonumber(line:match "^%d+$")
  if not number then return { type = "text", text = line } end
  local button = self.buttons[number]
  if not button then return nil, self.t("no_button", number) end
  if button.url then return nil, self.t("open", button.url) end
  if not button.data then return { type = "text", text = button.text } end
  return { type = "callback", payload = { plugin = button.plugin, data = button.data } }
end

-- Shows that an answer is on its way, when it takes so long that somebody wonders.
local function typing(self)
  task.sleep(TYPING_AFTER_S)
  self.typing = true
  io.stderr:write(self.dims and "\27[2m" or "", self.t "typing", self.dims and "\27[0m" or "")
end

local function send(self, message)
  local sign = self.terminal and task.spawn(typing, self)
  self.busy = true
  local reply, err = self.send(message)
  self.busy = false
  if sign then sign:cancel() end
  if self.typing then io.stderr:write(CLEAR_LINE) end
  self.typing = false
  return reply, err
end

local function handle(self, line)
  -- Over a pipe every line is a message: a script means what it says.
  if self.terminal and COMMANDS[line] then return COMMANDS[line](self) end
  local message, instead = message_of(self, line)
  if not message then return self:note(instead) end
  message.locale = self.language
  local reply, err = send(self, message)
  if not reply then
    self.failed = err
    return self:note("parley: " .. err.message)
  end
  if reply.reply_message_id then self.shown[reply.reply_message_id] = true end
  self:show(reply, true)
end

-- Shows what comes by itself. A reply may be in the history before its request has been answered:
-- what was seen meanwhile waits for that.
local function watch(self)
  while true do
    task.sleep(POLL_S)
    local list = self.poll() or {}
    while self.busy do task.sleep(0.02) end
    for _, reply in ipairs(list) do
      if not self.shown[reply.id] then
        self.shown[reply.id] = true
        if self.terminal then io.stdout:write(CLEAR_LINE) end
        self:show(reply)
        self:prompt()
      end
    end
  end
end

---Talks until the input ends.
---@return integer exit code: 74 when the last message could not be sent
function M:run()
  if self.terminal then self:note(self.t "welcome") end
  if self.terminal and self.words then self:note(self.t("try", self.words)) end
  local watcher = self.poll and task.spawn(watch, self)
  while not self.over do
    self:prompt()
    local line, err = stdin.read_line()
    if not line then
      if err.code ~= "closed" then self.failed = err end
      if err.code ~= "closed" then io.stderr:write("parley: ", err.message, "\n") end
      break
    end
    self.failed = nil
    if line:find "%S" then handle(self, line) end
  end
  if watcher then watcher:cancel() end
  if self.terminal then io.stdout:write "\n" end
  return self.failed and exit.IO or exit.DONE
end

return M
