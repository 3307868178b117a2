-- parley broadcast create|list|show|start|pause|resume|cancel|report

return {
  about = "Broadcasts send one message to many people. A running host carries them out.",
  commands = {
    { "create", "make a draft" },
    { "list", "show what broadcasts there are" },
    { "show", "show one and how far it is" },
    { "start", "start one, now or later" },
    { "pause", "take no further recipients for now" },
    { "resume", "go on with one" },
    { "cancel", "end one for good" },
    { "report", "show what has become of the recipients" },
  },
}
