-- parley serve: one worker in this process.

local cli = require "parley.cli.main"
local config = require "parley.config"
local core = require "parley.core"
local fs = require "host.fs"
local log = require "parley.ops.log"
local task = require "host.task"

local HELP = [[
usage: parley serve [--home DIR] [--config FILE]

Starts the host. DIR (default .parley) holds conf/, plugins/ and data/; what is missing is made.
]]

-- A home that is not there yet gets the folders and a configuration to edit.
local function set_up(home)
  for _, dir in ipairs { "conf", "plugins", "data" } do
    local ok, err = fs.mkdir(home .. "/" .. dir, tonumber("700", 8))
    if not ok then return nil, err end
  end
  local path = home .. "/conf/parley.lua"
  if fs.exists(path) then return true end
  local text, err = fs.read(fs.data_dir() .. "/conf/parley.lua")
  if not text then return nil, err end
  return fs.write(path, text)
end

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", config = "value", help = "flag" })
  if not o then return cli.usage(problem) end
  if o.help then
    io.stdout:write(HELP)
    return 0
  end
  local home = o.home or ".parley"
  local ok, err = set_up(home)
  if not ok then return cli.failed(err) end
  local cfg
  cfg, err = config.load(home, { file = o.config })
  if not cfg then return cli.failed(err) end
  log.level(cfg.log_level)
  local c
  c, err = core.new(cfg)
  if not c then return cli.failed(err) end
  local server
  server, err = c:listen()
  if not server then return cli.failed(err) end
  log.write("info", "listening", { http = cfg.http_listen, plugins = #c.manager.current.plugins })
  task.cond():wait() -- until a signal ends the process
  return 0
end
