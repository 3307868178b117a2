-- `parley serve` as a process of its own, on free ports, for a spec.

local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"
local support = require "spec.support.host"
local task = require "host.task"
local tcp = require "host.tcp"

local M = {}
M.__index = M

local EXE = fs.realpath "/proc/self/exe"

---Waits until f() gives something.
function M.eventually(what, f, seconds)
  local left = seconds or 10
  while true do
    local v = f()
    if v then return v end
    if left <= 0 then error(what .. ": it did not happen", 2) end
    task.sleep(0.01)
    left = left - 0.01
  end
end

---@param opts {home: string|nil, env: string|nil, prepare: fun(home: string)|nil}|nil
function M.start(opts)
  opts = opts or {}
  local self = setmetatable({ home = opts.home or support.temp_dir() }, M)
  if opts.prepare then opts.prepare(self.home) end
  self.out = self.home .. "/spec-" .. crypto.hex(crypto.random(4))
  os.execute(("(PARLEY_HTTP_LISTEN=127.0.0.1:0 PARLEY_OPS_LISTEN=127.0.0.1:0 %s sh -c 'echo $$ >%s.pid; "
    .. "exec %s serve --home %s' >%s.out 2>%s.err; echo $? >%s.code) >/dev/null 2>&1 &"):format(
    opts.env or "", self.out, EXE, self.home, self.out, self.out, self.out))
  self.pid = M.eventually("a pid", function() return tonumber(self:file "pid") end)
  if opts.wait == false then return self end
  local greeting = M.eventually("the greeting (" .. self.out .. ".err)", function()
    local text = self:file "out"
    if self:file "code" ~= "" then error("the host has ended: " .. self:file "err") end
    return text:find "metrics and probes on" and text
  end)
  self.port = tonumber(greeting:match "listens on http://127.0.0.1:(%d+)")
  self.ops = tonumber(greeting:match "probes on http://127.0.0.1:(%d+)")
  self.token = (fs.read(self.home .. "/data/dev-token") or ""):gsub("%s", "")
  return self
end

function M:file(kind) return (fs.read(self.out .. "." .. kind) or "") end
function M:signal(name) os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid)) end

---@return integer
function M:exit_code()
  return M.eventually("the end of the host", function() return tonumber(self:file "code") end)
end

---A command of the same binary on the same home.
---@param command string
---@param before string|nil of the command line: a pipe into it, its environment
---@return integer code
---@return string out stdout and stderr together
function M:run(command, before)
  local file = self.out .. ".run"
  local code = os.execute(("%s %s %s --home %s >%s 2>&1"):format(before or "", EXE, command, self.home, file))
  if code ~= 0 and code ~= true then code = code / 256 end
  return code, fs.read(file)
end

---One request on a connection of its own.
---@return {status: integer, body: any}|nil
---@return table|nil err
function M:request(port, method, path, body)
  local text = body and json.encode(body) or ""
  local c, err = tcp.connect("127.0.0.1", port, 5)
  if not c then return nil, err end
  c:write(("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Bot-Token: %s\r\n%s"
    .. "Content-Length: %d\r\n\r\n%s"):format(method, path, self.token,
    text ~= "" and "Content-Type: application/json\r\n" or "", #text, text))
  local raw
  raw, err = c:read(nil, 30)
  c:close()
  local head, rest = (raw or ""):match "^(.-)\r\n\r\n(.*)$"
  if not head then return nil, err or { code = "connection", message = "no answer" } end
  return { status = tonumber(head:match "^HTTP/1.1 (%d+)"), text = rest, body = (json.decode(rest)) }
end

function M:say(dialog, text, more)
  local body = { user = { external_id = "alice" }, type = "text", text = text }
  for k, v in pairs(more or {}) do body[k] = v end
  return self:request(self.port, "POST", "/api/v1/dialogs/" .. dialog .. "/messages", body)
end

function M:status()
  local code, text = self:run "status -o json"
  return code == 0 and json.decode(text) or nil, text
end

---Ends it, however it is.
function M:close()
  if self:file "code" == "" then self:signal "KILL" end
  self:exit_code()
end

return M
