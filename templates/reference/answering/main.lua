local p = parley.plugin()

p.on.command("answering", function(c, what)
  c:typing()
  if what == "" then return c:reply(c:t("hello", { name = c.user.name or c:t "friend" })) end
  c:reply {
    text = c:t("found", { n = #what }),
    photo = { url = "https://shop.example/tea.jpg" },
    buttons = {
      { { text = c:t "more", data = { more = what } }, { text = "x", data = { remove = true } } },
    },
  }
end)

p.on.callback({ more = "string" }, function(c, data)
  c:answer(c:t "moment")
  c:edit(c.message.payload.message_id, c:t("found", { n = 2 * #data.more }))
end)

p.on.callback({ remove = "bool" }, function(c) c:delete(c.message.payload.message_id) end)

return p
