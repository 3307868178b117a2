local p = parley.plugin()

p.on.command("conversation", function(c) c:enter("book", { room = "blue" }) end)

p.conversation("book", { cancelled = function(c) c:reply "Then not." end }, function(c, args)
  local name = c:ask "Your name?"
  local guests = c:ask("How many of you?", { as = "int", min = 1, max = 9 })
  local food = c:choose("What would you like?", { "Tea", { text = "Coffee", value = "espresso" } })
  if not c:confirm(("%s, %d, %s in the %s room?"):format(name, guests, food, args.room)) then
    return c:reply "Once more, then: /conversation"
  end
  c:reply "Noted. I will ask you tomorrow."
  c:wait(24 * 3600)
  c:reply(("How was it, %s?"):format(name))
end)

return p
