-- parley plugin new|check|test|run

return {
  about = "The tools of whoever writes a plugin.",
  commands = {
    { "new", "make a plugin that works" },
    { "check", "say what is wrong with the manifest and the code" },
    { "test", "run its specs inside the host" },
    { "run", "talk to it in the terminal, without a server" },
  },
}
