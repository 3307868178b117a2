-- Clients that keep a host busy, and note to the letter what it has acknowledged.
--
-- Each dialog is written over a few keep-alive connections at a time, so that its messages overtake each
-- other if anything lets them. A message that is not answered is sent again, under the same id and with the
-- same bytes, until it is. Some that were answered are sent again too: they must get the first answer.

local json = require "host.json"
local task = require "host.task"
local tcp = require "host.tcp"
local time = require "host.time"

local M = {}
M.__index = M

local ANSWER_S = 10 -- a request without an answer for so long is cut off and sent again
local PAUSE_S = 0.02 -- before a message is sent again

---What is known of one dialog. The lists go by the number of the message.
---@class spec.LoadDialog
---@field id string
---@field command string
---@field sent number[] when it was first sent, on this process's clock that never jumps
---@field acked number[] when its answer was here; nil: never
---@field text string[] of the answer
---@field reply string[] reply_message_id of the answer

---@class spec.LoadOptions
---@field targets {port: integer}[] hosts or proxies; the port is read again for each connection
---@field token string
---@field prefix string of the ids of the dialogs
---@field dialogs {command: string, count: integer}[]
---@field connections integer of each dialog
---@field rate number turns/s aimed at
---@field repeats? number share of answered messages that are sent again, default 0.05
---@field text? fun(command: string, n: integer): string of message n

local function text_of(command, n) return ("/%s %d"):format(command, n) end

local function bytes_of(self, dialog, n)
  local body = json.encode {
    user = { external_id = "u-" .. dialog.id }, type = "text", text = self.text(dialog.command, n),
    message_id = "m" .. n,
  }
  return ("POST /api/v1/dialogs/%s/messages HTTP/1.1\r\nHost: x\r\nX-Bot-Token: %s\r\n"
    .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(dialog.id, self.token, #body, body)
end

local function exchange(c, bytes)
  local ok, err = c:write(bytes, ANSWER_S)
  if not ok then return nil, err.code end
  local head
  head, err = c:read("\r\n\r\n", ANSWER_S)
  if err then return nil, err.code end
  local status = tonumber(head:match "^HTTP/1.1 (%d+)")
  local length = tonumber(head:lower():match "content%-length: (%d+)")
  if not (status and length) then return nil, "malformed" end
  local body
  body, err = c:read(length, ANSWER_S)
  if err then return nil, err.code end
  return status, body, head:lower():find "\r\nconnection: close" ~= nil
end

-- One connection of one dialog. `at` turns to the next target when one does not answer.
local function post(self, line, bytes)
  if not line.client then
    line.at = line.at % #self.targets + 1
    local c = tcp.connect("127.0.0.1", self.targets[line.at].port, 1)
    if not c then return nil, "connect" end
    line.client = c
  end
  local status, body, closing = exchange(line.client, bytes)
  if not status or closing then
    line.client:close()
    line.client = nil
  end
  return status, body
end

local function note(self, status, body)
  local code = status and ((json.decode(body) or {}).code or "http_" .. status) or body
  local key = ("%s %s"):format(status or "-", code)
  self.refused[key] = (self.refused[key] or 0) + 1
  -- Only these say "later" to a message that was well-formed and authorised.
  if status and status ~= 503 and status ~= 429 then self.odd[key] = (self.odd[key] or 0) + 1 end
end

-- Until it is answered, or nobody waits any more.
local function insist(self, line, bytes)
  while not self.given_up do
    local status, body = post(self, line, bytes)
    if status == 200 then return body end
    note(self, status, body)
    task.sleep(PAUSE_S)
  end
end

local function once_more(self, line, dialog, n, bytes, first)
  local status, body = post(self, line, bytes)
  if status == 200 then
    self.repeated = self.repeated + 1
    if body ~= first then
      self.changed[#self.changed + 1] = { dialog = dialog.id, message = "m" .. n, first = first, again = body }
    end
  else
    note(self, status, body)
  end
end

local function write_dialog(self, dialog, line)
  local due = time.mono() + math.random() * self.period
  while not self.stopping do
    task.sleep(math.max(due - time.mono(), 0))
    -- Never in step with the others, also when a fault has let all of them begin anew at one moment.
    due = math.max(due + self.period * (0.5 + math.random()), time.mono())
    if self.stopping then break end
    local n = #dialog.sent + 1
    local bytes = bytes_of(self, dialog, n)
    dialog.sent[n] = time.mono()
    local body = insist(self, line, bytes)
    if not body then break end
    local answer = json.decode(body)
    dialog.acked[n], dialog.text[n], dialog.reply[n] = time.mono(), answer.text, answer.reply_message_id
    line.last, self.turns = dialog.acked[n], self.turns + 1
    if math.random() < self.repeats then once_more(self, line, dialog, n, bytes, body) end
  end
  if line.client then line.client:close() end
end

---@param o spec.LoadOptions
function M.start(o)
  local self = setmetatable({
    targets = o.targets, token = o.token, repeats = o.repeats or 0.05, text = o.text or text_of,
    dialogs = {}, lines = {}, turns = 0, repeated = 0, refused = {}, odd = {}, changed = {},
  }, M)
  for _, kind in ipairs(o.dialogs) do
    for i = 1, kind.count do
      self.dialogs[#self.dialogs + 1] = {
        id = ("%s-%s-%d"):format(o.prefix, kind.command, i), command = kind.command, sent = {}, acked = {},
        text = {}, reply = {},
      }
    end
  end
  self.period = #self.dialogs * o.connections / o.rate
  for i, dialog in ipairs(self.dialogs) do
    for k = 1, o.connections do
      local line = { at = i + k }
      line.task = task.spawn(write_dialog, self, dialog, line)
      self.lines[#self.lines + 1] = line
    end
  end
  return self
end

---Waits until every connection has had an answer after a moment: nobody is left hanging.
---@param since number on host.time.mono
---@param seconds number at most
---@return number|nil first seconds after `since` until the first answer
---@return number|nil all until each connection had one; nil when some still had none
function M:recovery(since, seconds)
  local first
  while time.mono() < since + seconds do
    local missing = 0
    for _, line in ipairs(self.lines) do
      if (line.last or 0) <= since then
        missing = missing + 1
      elseif not first or line.last < first then
        first = line.last
      end
    end
    if missing == 0 then return first - since, time.mono() - since end
    task.sleep(0.005)
  end
  return first and first - since
end

---No further message is begun; those under way are sent until they are answered.
---@param seconds number|nil after which they are given up, default 30
function M:stop(seconds)
  self.stopping = true
  local deadline = time.mono() + (seconds or 30)
  for _, line in ipairs(self.lines) do
    local ok, problem = line.task:join(math.max(deadline - time.mono(), 0.001))
    if ok == nil then
      self.given_up = true
      ok, problem = line.task:join(ANSWER_S + 1)
    end
    if not ok then error(problem) end
  end
end

return M
