local p = parley.plugin()

-- Before this version serves.
p.self_check(function(check)
  if check.config.currency == "" then error "the setting 'currency' is empty" end
end)

-- Version 1 called the total `sum`.
p.migrate(1, function(data, kind)
  if kind == "session" then data.total, data.sum = data.sum, nil end
end)

p.on.command("plugin", function(c, text)
  local order, err = parley.json.decode(text)
  if not order then return c:reply("JSON expected: " .. err.message) end
  c.session.total = (c.session.total or 0) + order.price
  c:reply(parley.json.encode { total = c.session.total })
  c.log:info("an order", { id = parley.uuid(), at = parley.now() })
end)

return p
