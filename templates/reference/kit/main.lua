local p = parley.plugin()

p.on.command("kit", function(c, what)
  if what == "fail" then error "as you wish" end
  c.session.n = (c.session.n or 0) + 1
  c:schedule { ["in"] = 60, job = "later" }
  c:reply {
    text = c.config.greeting .. " " .. c.session.n,
    buttons = { { { text = "More", data = { more = true } } } },
  }
end)

p.on.callback({ more = "bool" }, function(c) c:reply "That is all." end)
p.on.job("later", function(c) c:reply "A minute later." end)

return p
