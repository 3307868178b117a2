local p = parley.plugin()

p.on.command("people", function(c, what)
  local to = what:match "^tell (.+)$"
  if to then
    local ok, err = c:notify(to, "Tea is ready.")
    return c:reply(ok and "Told." or err.code)
  end
  if what == "past" then return c:reply(("%d before this"):format(#assert(c:history(5)))) end
  if what == "uk" then
    c:set_locale "uk"
    return c:reply "Гаразд."
  end
  if what == "daily" then
    c:every { seconds = 24 * 3600, job = "ready", id = "daily", data = { what = "the daily tea" } }
    return c:reply "Every day at this time."
  end
  if what == "stop" then
    local waiting = assert(c:scheduled())
    for _, one in ipairs(waiting) do c:unschedule(one.id) end
    return c:reply(("%d taken back"):format(#waiting))
  end
  c:emit("tea", { minutes = 3 })
  c:schedule { ["in"] = 180, job = "ready", data = { what = "tea" } }
  c:reply "In three minutes."
end)

p.on.job("ready", function(c, data) c:reply("Ready: " .. data.what) end)

return p
