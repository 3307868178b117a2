-- The form of NAME. A conversation is written as it is spoken, and goes on where it was after a
-- restart.

local p = parley.plugin()

p.on.command("NAME", function(c) c:enter "form" end)
p.on.intent("NAME.fill", function(c) c:enter "form" end)

p.conversation("form", function(c)
  local name = c:ask(c:t "name", { max = 60 })
  local guests = c:ask(c:t("guests", { name = name }), { as = "int", min = 1, max = 9 })
  local day = c:ask(c:t "day", { as = "date" })
  local meal = c:choose(c:t "meal", {
    { text = c:t "lunch", value = "lunch" }, { text = c:t "dinner", value = "dinner" },
  }, { columns = 2 })
  if not c:confirm(c:t("sure", { n = guests, day = day })) then return c:reply(c:t "dropped") end

  c.session.last = { name = name, guests = guests, day = day, meal = meal }
  c:schedule { ["in"] = 24 * 3600, job = "remind", data = { name = name } }
  c:reply(c:t "done")
end)

p.on.job("remind", function(c, data) c:reply(c:t("reminder", { name = data.name })) end)

return p
