local p = parley.plugin()

p.on.command("dialog", function(c, what)
  if what == "help" then return c:invoke "faq" end -- another plugin answers
  if what == "person" then
    c:reply "Somebody will write to you."
    return c:handoff()
  end
  if what == "bye" then
    c:reply "Goodbye."
    c:finish() -- nothing of the session is kept
    return c:close()
  end
  if what ~= "" then return c:decline() end -- not for this plugin after all
  c.session.begun = true
  c:enter "name"
  c:reply "Your name?"
end)

p.on.state("name", function(c, name)
  c:leave()
  c:reply("Hello, " .. name)
end)

return p
