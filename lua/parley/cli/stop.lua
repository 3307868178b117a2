-- parley stop: ends the running host, after its running turns or at once.

local exit = require "parley.cli.exit"
local home = require "parley.cli.home"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

local M = {
  about = [[
Stops the host and waits until it has ended. Running turns may finish, within the configured
drain_seconds.]],
  options = {
    { name = "now", help = "end them: what was acknowledged is taken up at the next start" },
    options.home, options.output,
  },
}

local SECONDS = 660 -- drain_seconds may be 600

function M.run(o)
  local result, err = home.ask(o.home, { cmd = "stop", now = o.now or false, wait = true }, SECONDS)
  if not result then return exit.failed(err) end
  if o.output == "json" then return output.json { stopped = true } end
  io.stdout:write "stopped\n"
  return exit.DONE
end

return M
