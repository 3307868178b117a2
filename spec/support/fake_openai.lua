-- The fake model server (fake_openai.py) for a spec.

local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"

local M = {}
M.__index = M

M.request = http.request

---Starts the server; it ends with stop(), or with this process.
function M.start()
  local self = setmetatable({ server = python.start "spec/support/fake_openai.py" }, M)
  self.url = ("http://127.0.0.1:%d/v1"):format(self.server.port)
  return self
end

function M:stop() self.server:stop() end

---Lets go on what is held.
function M:go()
  assert(http.request {
    method = "POST", url = ("http://127.0.0.1:%d/go"):format(self.server.port), allow_private = true,
  })
end

---What the server has been asked so far.
function M:log()
  local r = assert(http.request {
    url = ("http://127.0.0.1:%d/log"):format(self.server.port), allow_private = true, max_body = 1e8,
  })
  return assert(json.decode(r.body)).requests
end

return M
