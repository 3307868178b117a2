-- parley plugin new|check|test|run, and what an operator does with a plugin of the running host

return {
  about = "The tools of whoever writes a plugin, and of whoever runs it.",
  commands = {
    { "new", "make a plugin that works" },
    { "check", "say what is wrong with the manifest and the code" },
    { "test", "run its specs inside the host" },
    { "pack", "make one file of it, to be sent and deployed" },
    { "run", "talk to it in the terminal, without a server" },
    { "top", "show what each one does now in the running host" },
    { "logs", "show what they have logged there" },
    { "profile", "show where one spends its time and its memory there" },
    { "disable", "keep it from being chosen in the running host" },
    { "enable", "let it be chosen again" },
    { "rollback", "go back to the bundle that served before" },
    { "bundles", "show what has served of it" },
    { "deploy", "put a version in service, for all dialogs or for a share" },
    { "deployments", "show versions on trial, and how they go" },
    { "promote", "give the version on trial to all dialogs" },
    { "abort", "end the trial of a version" },
  },
}
