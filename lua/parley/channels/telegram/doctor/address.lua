-- Whether the address of a webhook leads to a host, as seen from this machine: its name, a
-- connection, its certificate, and who answers.

local http = require "host.http_client"
local json = require "host.json"

local M = {}

local TIMEOUT_S = 10

-- What is wrong with a certificate, in libcurl's and OpenSSL's words.
local TLS = {
  { "has expired", "address_ended" }, { "not yet valid", "address_ended" },
  { "subject name", "address_name" }, { "hostname mismatch", "address_name" },
  { "SSL certificate problem", "address_trust" },
}

local function tls_failure(said)
  for _, meaning in ipairs(TLS) do
    if said:find(meaning[1], 1, true) then return meaning[2] end
  end
  return "address_tls"
end

-- Telegram's own way in is POST: nothing is taken by this, and nobody counts it as a stranger.
local function is_parley(r)
  local problem = r.status == 405 and json.decode(r.body)
  return type(problem) == "table" and problem.code == "method_not_allowed"
end

---@param info table WebhookInfo
---@param failing boolean whether Telegram has said that it cannot bring updates
---@param certificate string|nil what this host serves over TLS, in PEM
---@param add fun(check: string, kind: string, key: string, args: table|nil)
function M.examine(info, failing, certificate, add)
  local custom = info.has_custom_certificate
  local r, err = http.request {
    url = info.url, timeout = TIMEOUT_S, connect_timeout = TIMEOUT_S, allow_private = true,
    ca = custom and certificate or nil, -- Telegram trusts no other then
  }
  if r then
    if is_parley(r) then return add("webhook", "good", "address_good") end
    return add("webhook", "problem", "address_other", { status = r.status })
  end
  local args = { host = info.url:match "^%w+://%[?([^/:%]]+)", said = err.message }
  if err.code == "resolve" then
    add("webhook", "problem", "address_dns", args)
  elseif err.code == "tls" then
    local key = tls_failure(err.message)
    if key == "address_trust" and custom then -- which one Telegram was given nobody says
      return add("webhook", "hint", "address_unknown")
    end
    add("webhook", "problem", key, args)
  elseif err.code == "timeout" or err.code == "connect" then
    -- It may be this machine only that does not get there.
    add("webhook", failing and "problem" or "hint", "address_" .. err.code, args)
  else
    add("webhook", "problem", "address_other", { status = err.message })
  end
end

return M
