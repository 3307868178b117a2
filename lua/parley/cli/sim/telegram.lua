-- parley sim telegram: the Bot API and the people behind it.

local config = require "parley.config"
local exit = require "parley.cli.exit"
local sim = require "parley.sim.telegram"
local task = require "host.task"

local function check_address(text)
  if config.split_address(text) then return text end
  return nil, ("HOST:PORT with a numeric host expected, got '%s'"):format(text)
end

local function check_token(text)
  if text:find "^%d+:[%w_-]+$" then return text end
  return nil, ("a token like 7000001:abc expected, got '%s'"):format(text)
end

local M = {
  about = [[
Plays Telegram: a bot that is pointed at http://ADDRESS instead of https://api.telegram.org talks
to it as to the real one. The page at http://ADDRESS/ has the people who write to the bot.]],
  options = {
    {
      name = "listen", value = "ADDRESS", default = "127.0.0.1:8082", check = check_address,
      help = "where the API and the page are",
    },
    {
      name = "token", value = "TOKEN", check = check_token,
      help = "of a bot that is there from the start (default: a new one)",
    },
    { name = "no-limits", help = "take messages as fast as they come" },
  },
}

function M.run(o)
  local host, port = config.split_address(o.listen)
  local limits
  if o.no_limits then limits = false end
  local s, err = sim.start { host = host, port = port, limits = limits }
  if not s then return exit.failed(err) end
  local bot = s.world:add_bot { token = o.token or sim.new_token(), username = "sim_bot" }
  s.world:add_user { first_name = "Ann", username = "ann" }
  io.stdout:write(("page   http://%s:%d/\ntoken  %s\n"):format(host, s:port(), bot.token))
  io.stdout:flush()
  while true do task.sleep(3600) end
end

return M
