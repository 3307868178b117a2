local p = parley.plugin()

p.menu("cart", function(c)
  return {
    text = ("Tea: %d"):format(c.session.n or 0),
    rows = {
      { { text = "+", data = { add = 1 } }, { text = "-", data = { add = -1 } } },
      { { text = "To", menu = "to", args = { city = "Kyiv" } }, { text = "Close", close = true } },
    },
  }
end)
p.menu("to", function(_, args)
  return { text = "To " .. args.city, rows = { { { text = "Back", back = "cart" } } } }
end)

p.on.callback({ add = "int" }, function(c, data)
  c.session.n = math.max(0, (c.session.n or 0) + data.add)
  c:menu() -- it would be shown anyway
end)
p.on.command("menus", function(c, what)
  if what == "end" then return c:close_menu() end
  if what ~= "keys" then return c:menu "cart" end
  c:keyboard {
    text = "Here you are.", rows = { { "/menus", { text = "Where?", request = "location" } } },
  }
end)

return p
