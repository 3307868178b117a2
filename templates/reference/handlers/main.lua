local p = parley.plugin()

p.on.command("order", { typing = true }, function(c, what)
  c.session.what = what
  c:enter "amount"
  c:reply "How many?"
end)

-- The next message, after c:enter.
p.on.state("amount", function(c, text)
  local n = assert(tonumber(text), "a number expected")
  c:leave()
  c:schedule { ["in"] = 600, job = "remind", data = { what = c.session.what } }
  c:reply {
    text = ("%d x %s"):format(n, c.session.what),
    buttons = { { { text = "Paid", data = { paid = c.session.what } } } },
  }
end)

p.on.callback({ paid = "string" }, function(c, data) c:answer(data.paid .. " is paid") end)
p.on.job("remind", function(c, data) c:reply("Still to be paid: " .. data.what) end)
p.on.text("^status of (%w+)$", function(c, what) c:reply(what .. " is on its way") end)
p.on.intent("handlers.hours", function(c) c:reply "We are here from 9 to 18." end)
p.on.event("delivered", function(c, data) c:reply(data.what .. " has arrived") end)
p.on.any(function(c) c:reply "I can take orders: /order tea" end)
p.on.error(function(c, err)
  c.log:error("an order failed", { why = err.message })
  c:reply "That did not work. Once more?"
end)

return p
