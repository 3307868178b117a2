-- parley bot set-webhook

local fs = require "host.fs"
local options = require "parley.cli.options"
local shared = require "parley.cli.bot.orders"
local transport = require "parley.channels.telegram.transport"

local CERTIFICATE_MAX = 64 * 1024

local function check_certificate(path)
  local text, err = fs.read_any(path, CERTIFICATE_MAX)
  if not text then return nil, err.message end
  if not text:find("-----BEGIN CERTIFICATE-----", 1, true) then
    return nil, path .. ": a certificate in PEM expected"
  end
  if text:find("PRIVATE KEY-----", 1, true) then
    return nil, path .. ": there is a private key in it, which is nobody's business"
  end
  return text
end

local M = {
  about = [[
Has Telegram bring the updates of a bot to this host, which stops polling for it. Nothing is lost,
and nothing is taken twice.]],
  arguments = { shared.name },
  options = {
    {
      name = "url", value = "URL", needed = true,
      help = "the public address of this host, like https://bot.example",
    },
    {
      name = "certificate", value = "FILE", check = check_certificate,
      help = "a self-signed certificate, for Telegram to trust",
    },
    {
      name = "max-connections", value = "N", check = options.number(1, 100, true),
      help = "requests at the same time (default: Telegram's, 40)",
    },
    { name = "drop-pending", help = "forget what waits at Telegram" },
    unpack(shared.common),
  },
}

function M.run(o)
  return shared.with(o, function(deps)
    local view, err = transport.set_webhook(deps, o[1], {
      url = o.url, certificate = o.certificate, max_connections = o.max_connections,
      drop_pending = o.drop_pending,
    }, { by = shared.BY })
    return shared.done(o, view, err, "webhook set for")
  end)
end

return M
