-- The last resort: always an answer, in the user's language.

local p = parley.plugin()

p.on.command("help", function(c) c:reply(c:t "help") end)

p.on.callback("*", function(c) c:reply(c:t "stale") end)

-- Telegram sends /start for everybody who opens a chat with a bot. It stands in no menu there, so
-- that it is no command of the manifest.
p.on.any(function(c)
  local begins = (c.message.text or ""):find "^/start%f[^%w_]"
  c:reply(begins and c:t "start" or c:t "unknown")
end)

return p
