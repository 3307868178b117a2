local p = parley.plugin()

p.on.command("telegram", function(c, what)
  if what == "count" then
    local n, err = c:ask_telegram "getChatMemberCount"
    return c:reply(n and "We are " .. n or err.code)
  end
  c:react "👍"
  c:telegram("sendDice", { emoji = "🎲" })
  c:reply "Here it rolls."
end)

p.on.event("telegram.inline_query", function(c, query)
  local tea = { title = query.query, text = "**Tea**", format = "markdown" }
  c:answer_inline({ tea }, { cache_seconds = 60 })
end)

p.on.event("telegram.pre_checkout_query", function(c, query)
  c:answer_checkout(query.invoice_payload == "tea" or "This was the last one")
end)

return p
