-- parley bot add|list|show|change|token|pause|resume|remove|set-webhook|delete-webhook|doctor

return {
  about = "The bots of Telegram that a host works for.",
  commands = {
    { "add", "add a bot" },
    { "list", "show what bots there are" },
    { "show", "show one bot, and how it is" },
    { "change", "change what a bot may reach, and its settings" },
    { "token", "give a bot its new token" },
    { "pause", "have a bot neither get nor send anything" },
    { "resume", "let a bot go on" },
    { "remove", "remove a bot" },
    { "set-webhook", "have Telegram bring a bot's updates, instead of polling" },
    { "delete-webhook", "poll for a bot's updates again" },
    { "doctor", "find out what is wrong with a bot, and what to do" },
  },
}
