-- parley sim: services of others that run here, for those who build and try.

return {
  about = "Plays a service of others, on this machine.",
  commands = { { "telegram", "play the Bot API, with a page to chat with the bots" } },
}
