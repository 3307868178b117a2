-- parley dlq list|show|replay|purge

return {
  about = "Dead letters: messages, jobs and events that were given up.",
  commands = {
    { "list", "show what was given up" },
    { "show", "show one with all that is known of it" },
    { "replay", "try again" },
    { "purge", "throw away" },
  },
}
