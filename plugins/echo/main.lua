local p = parley.plugin()

p.on.command("echo", function(c, text)
  if text == "" then return c:reply(c:t "usage") end
  c.session.count = (c.session.count or 0) + 1
  c:reply(text)
end)

return p
