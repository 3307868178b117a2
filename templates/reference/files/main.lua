local p = parley.plugin()

p.on.command("files", function(c)
  local file = assert(c.files:put("name,n\ntea,2\n", { name = "orders.csv", ttl = 3600 }))
  c:reply { text = "All orders", document = { file = file.id } }
end)

p.on.any(function(c)
  if c.message.type ~= "document" then return c:decline() end
  local file, err = c:download(c.message.payload)
  if not file then return c:reply("I cannot have it: " .. err.code) end
  local info = assert(c.files:info(file))
  local head = c.files:read(file, 0, 100)
  c.files:delete(file)
  c:reply(("%s, %d bytes: %s"):format(info.type, info.size, head))
end)

return p
