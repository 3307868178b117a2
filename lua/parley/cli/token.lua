-- parley token create|list|revoke

return {
  about = "Tokens are what bots, plugins and administrators show to the API.",
  commands = {
    { "create", "make a token" },
    { "list", "show what tokens there are" },
    { "revoke", "end a token" },
  },
}
