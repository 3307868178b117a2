-- Whether the Bot API can be reached from here: its name, a connection, TLS.

local http = require "host.http_client"
local resolve = require "host.resolve"

local M = {}

local TIMEOUT_S = 10

local ADVICE = {
  connect = "a firewall, or no way to the internet from this machine: try curl -v %s",
  tls = "a proxy that breaks TLS open, certificates that are out of date (ca-certificates), or a "
    .. "clock that is wrong: try curl -v %s",
  timeout = "the connection stands and nothing comes: try curl -v %s",
}

-- The name in a URL; nil: it is an address.
local function name_of(url)
  local host = url:match "^%w+://%[?([^/%]]+)"
  host = host and host:gsub(":%d+$", "")
  if not host or host:find "^[%d.]+$" or host:find(":", 1, true) then return nil end
  return host
end

---@param url string of the Bot API
---@param add fun(check: string, kind: string, message: string, advice: string|nil)
---@return boolean reached
function M.examine(url, add)
  local name = name_of(url)
  local found, err = true, nil
  if name then found, err = resolve.addresses(name) end
  if not found then
    add("api", "problem", ("the name %s is not found: %s"):format(name, err.message),
      "see to the DNS of this machine (/etc/resolv.conf), or to PARLEY_TELEGRAM_API")
    return false
  end
  local r
  r, err = http.request {
    url = url .. "/", timeout = TIMEOUT_S, connect_timeout = TIMEOUT_S, allow_private = true,
  }
  -- What it answers is no matter: at this path it has nothing to say.
  if r or err.code == "too_large" or err.code == "invalid_response" then
    add("api", "good", url .. " answers")
    return true
  end
  add("api", "problem", ("%s cannot be reached (%s): %s"):format(url, err.code, err.message),
    (ADVICE[err.code] or ADVICE.connect):format(url))
  return false
end

return M
