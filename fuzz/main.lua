-- parley lua fuzz/main.lua NAME [--seconds N] [--seed N]: hunts with one of the fuzzers that are
-- written in Lua (tools/fuzz starts it in the build with the sanitizers).

local hunt = require "fuzz.lib.hunt"
local options = require "parley.cli.options"
local exit = require "parley.cli.exit"

local COMMAND = {
  about = "Hunts with a fuzzer.", arguments = { { name = "NAME", needed = true } },
  options = {
    {
      name = "seconds", value = "N", default = 60, help = "how long",
      check = options.number(1, 1e6),
    },
    {
      name = "seed", value = "N", help = "what to begin with; default: another one each time",
      check = options.number(0, 2 ^ 31, true),
    },
  },
}

local given, problem = options.parse(COMMAND, { ... })
if not given then return exit.usage(problem) end
return hunt.run(given[1], given.seed or os.time() % 1e6, given.seconds) == 0 and 0 or 1
