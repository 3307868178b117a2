-- Whether the address of a plugin that registers is one that the host may call.
--
-- Registration is open to whoever has a registry key, so it must not make the host knock at doors
-- of its own network. The name may come to have another address later: the same rule holds again
-- at every connection (host.http_client), this one tells the vendor early.

local resolve = require "host.resolve"

local M = {}

local SECONDS = 5

---@param url string endpoint of a checked manifest
---@return boolean|nil ok
---@return {code: "private_address"|"resolve", message: string}|nil err
function M.check(url)
  local authority = url:match "^https?://([^/?#]+)"
  local host = authority:match "^%[(.+)%]" or authority:match "^[^:]+"
  local addresses, err = resolve.addresses(host, SECONDS)
  if not addresses then
    return nil, { code = "resolve", message = "the address of " .. host .. " cannot be found now: "
      .. err.message }
  end
  for _, a in ipairs(addresses) do
    if a.special then
      return nil, {
        code = "private_address",
        message = ("%s is a %s address, not on the public internet; the operator may allow it with "
          .. "allow_private_plugins"):format(host, a.special),
      }
    end
  end
  return true
end

return M
