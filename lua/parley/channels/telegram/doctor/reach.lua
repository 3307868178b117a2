-- Whether the Bot API can be reached from here: its name, a connection, TLS.

local http = require "host.http_client"
local resolve = require "host.resolve"

local M = {}

local TIMEOUT_S = 10

local ADVICE = { connect = "api_connect_do", tls = "api_tls_do", timeout = "api_timeout_do" }

-- The name in a URL; nil: it is an address.
local function name_of(url)
  local host = url:match "^%w+://%[?([^/%]]+)"
  host = host and host:gsub(":%d+$", "")
  if not host or host:find "^[%d.]+$" or host:find(":", 1, true) then return nil end
  return host
end

---@param url string of the Bot API
---@param add fun(check: string, kind: string, key: string, args: table|nil)
---@return boolean reached
function M.examine(url, add)
  local name = name_of(url)
  local found, err = true, nil
  if name then found, err = resolve.addresses(name) end
  if not found then
    add("api", "problem", "api_dns", { host = name, said = err.message })
    return false
  end
  local r
  r, err = http.request {
    url = url .. "/", timeout = TIMEOUT_S, connect_timeout = TIMEOUT_S, allow_private = true,
  }
  -- What it answers is no matter: at this path it has nothing to say.
  if r or err.code == "too_large" or err.code == "invalid_response" then
    add("api", "good", "api_good", { url = url })
    return true
  end
  add("api", "problem", "api_away", {
    url = url, code = err.code, said = err.message, advice = ADVICE[err.code] or ADVICE.connect,
  })
  return false
end

return M
