-- The fake model server (fake_openai.py) for a spec, and a small HTTP client that reaches it over a
-- real socket.

local json = require "host.json"
local tcp = require "host.tcp"

local M = {}
M.__index = M

---Starts the server; it ends with stop(), or with this process.
function M.start()
  local self = setmetatable({}, M)
  local ports = os.tmpname()
  self.input = assert(io.popen("exec python3 spec/support/fake_openai.py > " .. ports, "w"))
  local text
  repeat
    require("host.task").sleep(0.02)
    local f = assert(io.open(ports))
    text = f:read "*a"
    f:close()
  until text:find "\n"
  os.remove(ports)
  self.port = tonumber(text:match "^(%d+)")
  self.url = ("http://127.0.0.1:%d/v1"):format(self.port)
  return self
end

function M:stop() self.input:close() end

-- host.http_client's request, as far as the providers use it.
local function exchange(o)
  local host, port, path = o.url:match "^http://([^:/]+):(%d+)(/.*)$"
  local deadline = o.timeout or 5
  local c, err = tcp.connect(host, tonumber(port), deadline)
  if not c then return nil, err end
  local lines = { ("%s %s HTTP/1.1"):format(o.method, path), "Host: " .. host, "Connection: close" }
  for name, value in pairs(o.headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  if o.body then lines[#lines + 1] = "Content-Length: " .. #o.body end
  local ok
  ok, err = c:write(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (o.body or ""), deadline)
  if not ok then return nil, err end
  local data
  data, err = c:read(nil, deadline)
  c:close()
  if err and err.code ~= "closed" then return nil, err end
  local head, body = (data or ""):match "^(.-)\r\n\r\n(.*)$"
  if not head then return nil, { code = "connection", message = "the peer closed without an answer" } end
  local status = tonumber(head:match "^HTTP/1.%d (%d+)")
  local headers = {}
  for name, value in head:gmatch "\r\n([^:]+):%s*([^\r\n]*)" do headers[name:lower()] = value end
  if o.max_body and #body > o.max_body then return nil, { code = "too_large", message = "too large" } end
  if tonumber(headers["content-length"]) ~= #body then
    return nil, { code = "connection", message = "the peer closed before the end" }
  end
  return { status = status, headers = headers, body = body }
end
M.request = exchange

---What the server has been asked so far.
function M:log()
  local r = assert(exchange { method = "GET", url = ("http://127.0.0.1:%d/log"):format(self.port) })
  return assert(json.decode(r.body)).requests
end

return M
