local p = parley.plugin()

p.on.command("model", function(c, text)
  local answer, err = c.llm:chat {
    messages = {
      { role = "system", content = "You sell tea. Answer in one sentence." },
      { role = "user", content = text },
    },
    max_tokens = 100,
  }
  if not answer then return c:reply("Nobody to ask: " .. err.code) end
  c:reply { text = answer.text, format = "markdown" }
end)

return p
