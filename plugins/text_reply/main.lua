-- The last resort: always an answer, in the user's language.

local p = parley.plugin()

p.on.command("help", function(c) c:reply(c:t "help") end)

p.on.callback("*", function(c) c:reply(c:t "stale") end)

p.on.any(function(c) c:reply(c:t "unknown") end)

return p
