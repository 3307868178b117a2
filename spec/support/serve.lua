-- `parley serve` as a process of its own, on free ports, for a spec.

local crypto = require "host.crypto"
local database = require "spec.support.database"
local fs = require "host.fs"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local support = require "spec.support.host"
local tcp = require "host.tcp"

local M = {}
M.__index = M

M.eventually = programs.eventually

---@class spec.ServeOptions
---@field home? string default: an empty one
---@field prepare? fun(home: string)
---@field argv? string[] what to start instead of `parley serve`
---@field env? table<string, string|false> of the host, beside ours
---@field wait? boolean false: do not wait until it listens

---@param opts spec.ServeOptions|nil
function M.start(opts)
  opts = opts or {}
  local self = setmetatable({ home = opts.home or support.temp_dir(), env = {} }, M)
  if opts.prepare then opts.prepare(self.home) end
  self.files = self.home .. "/spec-" .. crypto.hex(crypto.random(4))
  local argv = { unpack(opts.argv or { programs.EXE, "serve" }) }
  argv[#argv + 1] = "--home=" .. self.home
  -- A spec says itself when a reload is due.
  local env = { PARLEY_WATCH = "false", PARLEY_HTTP_LISTEN = "127.0.0.1:0", PARLEY_OPS_LISTEN = "127.0.0.1:0" }
  for _, more in ipairs { database.variables(self.home), opts.env or {} } do
    for name, value in pairs(more) do env[name], self.env[name] = value, value end
  end
  self.process = assert(process.spawn {
    argv = argv, env = env,
    stdout = self.files .. ".out", stderr = self.files .. ".err",
  })
  self.pid = self.process:pid()
  if opts.wait == false then return self end
  local greeting = M.eventually("the greeting", function()
    local text = self:file "out"
    if self.process:wait(0.001) then error("the host has ended: " .. self:file "err") end
    return text:find "metrics and probes on" and text
  end, 30)
  self.port = tonumber(greeting:match "listens on http://127.0.0.1:(%d+)")
  self.ops = tonumber(greeting:match "probes on http://127.0.0.1:(%d+)")
  self.token = (fs.read(self.home .. "/data/dev-token") or ""):gsub("%s", "")
  return self
end

---What it has written so far: "out" or "err".
function M:file(kind) return (fs.read(self.files .. "." .. kind) or "") end
function M:signal(name) assert(self.process:kill(name)) end

---Waits until it has ended by itself.
---@return integer|string exit code, or the name of the signal that has ended it
function M:exit_code()
  local r = assert(self.process:wait(30))
  return r.code or r.signal
end

---A command of the same binary on the same home, in the same environment.
---@param arguments string with spaces between
---@param o table|nil of process.run
---@return integer code
---@return string out stdout and stderr together
function M:run(arguments, o)
  local list, options = {}, { stderr = "stdout", env = self.env }
  for word in arguments:gmatch "%S+" do list[#list + 1] = word end
  list[#list + 1] = "--home=" .. self.home
  for k, v in pairs(o or {}) do options[k] = v end
  local r = programs.parley(list, options)
  return r.code, r.out
end

---A token of a bot.
---@param scopes string with commas between
function M:make_token(scopes)
  local code, out = self:run("token create --kind bot --scopes " .. scopes)
  assert(code == 0, out)
  return (out:gsub("%s", ""))
end

---One request on a connection of its own.
---@return {status: integer, body: any}|nil
---@return table|nil err
function M:request(port, method, path, body)
  local text = body and json.encode(body) or ""
  local c, err = tcp.connect("127.0.0.1", port, 30)
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
  self.process:kill "KILL"
  assert(self.process:wait(30))
end

return M
