-- parley serve: one worker in this process.

local cli = require "parley.cli.main"
local config = require "parley.config"
local core = require "parley.core"
local crypto = require "host.crypto"
local fs = require "host.fs"
local log = require "parley.ops.log"
local task = require "host.task"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

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

-- A developer's own token, so that the printed line works as pasted. Only in the dev profile: a
-- secret in a file is no way to hand out tokens elsewhere.
local function dev_token(c, home)
  local path = home .. "/data/dev-token"
  local text = fs.read(path, 100)
  if text then
    text = text:gsub("%s", "")
    if c.verify:identify(text) then return text end
  end
  local id, hash, ok, err
  text, id = token.generate "bot"
  hash, err = crypto.bcrypt_hash(text, 10)
  if not hash then return nil, err end
  ok, err = c.db:commit {
    tokens.insert {
      id = id, kind = "bot", hash = hash, label = "dev profile",
      scopes = { "dialogs:read", "dialogs:write", "users:write" },
    },
  }
  if not ok then return nil, err end
  ok, err = fs.write(path, text .. "\n", tonumber("600", 8))
  if not ok then return nil, err end
  return text
end

local CURL = [[

Talk to it:

  curl -s http://%s/api/v1/dialogs/first/messages -H 'X-Bot-Token: %s' \
    -H 'Content-Type: application/json' \
    -d '{"user":{"external_id":"me"},"type":"text","text":"/echo hello"}'
]]

local function greet(c, home)
  local address = c.config.http_listen
  io.stdout:write("Parley listens on http://", address, "\n")
  if c.config.profile == "dev" then
    local text, err = dev_token(c, home)
    if not text then return nil, err end
    io.stdout:write(CURL:format(address, text), "\n")
  end
  io.stdout:flush()
  return true
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
  log.setup { level = cfg.log_level, form = cfg.log_format }
  local c
  c, err = core.new(cfg)
  if not c then return cli.failed(err) end
  local resumed, server
  resumed, err = c:begin()
  if not resumed then return cli.failed(err) end
  server, err = c:listen()
  if not server then return cli.failed(err) end
  server, err = c:listen_ops()
  if not server then return cli.failed(err) end
  log.write("info", "listening", {
    http = cfg.http_listen, ops = cfg.ops_listen, plugins = #c.manager.current.plugins,
    resumed = resumed,
  })
  ok, err = greet(c, home)
  if not ok then return cli.failed(err) end
  task.cond():wait() -- until a signal ends the process
  return 0
end
