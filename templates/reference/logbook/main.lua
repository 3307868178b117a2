local p = parley.plugin()

p.on.command("logbook", function(c, what)
  c.log:debug("asked", { what = what })
  if what == "" then
    c.log:warn "nothing was asked"
    return c:reply "What?"
  end
  if not tonumber(what) then
    c.log:error("no number", { what = what, dialog = c.dialog.id })
    return c:reply "A number, please."
  end
  c.log:info("a number", { n = tonumber(what) })
  c:reply "Noted."
end)

return p
