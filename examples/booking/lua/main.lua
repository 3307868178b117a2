-- Books a table. The dialog is written as it is spoken; the host keeps it over restarts, and says
-- what is wrong with an answer.

local p = parley.plugin()

p.on.command("book", function(c) c:enter "book" end)

p.conversation("book", { cancelled = function(c) c:reply(c:t "cancelled") end }, function(c)
  local day = c:ask(c:t "day", { as = "date", retry = c:t "day_retry" })
  local time = c:choose(c:t "time", { "12:00", "18:00", "20:00" }, {
    columns = 3, retry = c:t "time_retry",
  })
  local guests = c:ask(c:t "guests", { as = "int", min = 1, max = 9, retry = c:t "guests_retry" })
  local name = c:ask(c:t "name", { max = 60, retry = c:t "name_retry" })
  local question = c:t("sure", { name = name, n = guests, day = day, time = time })
  if not c:confirm(question, { yes = c:t "yes", no = c:t "no", retry = c:t "yes_or_no" }) then
    return c:reply(c:t "cancelled")
  end
  c.session.bookings = (c.session.bookings or 0) + 1
  c:reply(c:t("booked", { number = c.session.bookings }))
end)

return p
