local p = parley.plugin()

p.on.command("values", function(c, what)
  local mine = { scope = "user" }
  if what == "forget" then
    c.kv:delete("last", mine)
  elseif what ~= "" then
    c.kv:set("last", what, { scope = "user", ttl = 3600 })
  end
  c:reply("Last time: " .. (c.kv:get("last", mine) or "nothing"))
end)

return p
