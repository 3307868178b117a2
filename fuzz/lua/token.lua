-- Tokens in headers, and addresses to listen on: a few bytes each, taken or not.

local config = require "parley.config"
local token = require "parley.auth.token"

return function(bytes)
  local host, port = config.split_address(bytes)
  assert((host == nil) == (port == nil))
  if host then assert(host ~= "" and port >= 0 and port <= 65535 and port % 1 == 0) end
  -- Nobody guesses the checksum; what is refused is refused without an error.
  local parts = token.parse(bytes)
  if parts then assert(token.KINDS[parts.kind] and parts.id ~= "", "a kind that there is not") end
end
