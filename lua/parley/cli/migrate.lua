-- parley migrate up|down|status

return {
  about = "A start brings the schema of the database up to date by itself; this does it by hand.",
  commands = {
    { "up", "to the newest version, or to another" },
    { "down", "back by one version, or to another" },
    { "status", "show what was applied, and when" },
  },
}
