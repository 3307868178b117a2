-- parley serve: sets the home up and becomes the supervisor.

local certificate = require "parley.ops.certificate"
local cluster = require "parley.cluster"
local config = require "parley.config"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local home = require "parley.cli.home"
local issue = require "parley.auth.issue"
local log = require "parley.ops.log"
local options = require "parley.cli.options"
local precompile = require "parley.plugins.precompile"
local secrets = require "parley.plugins.secrets"
local store = require "parley.store"
local time = require "host.time"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"
local worker = require "host.worker"

local M = {
  about = [[
Starts the host. DIR holds conf/, plugins/, data/ and run/; what is missing is made. SIGTERM and
SIGINT stop it when running turns have finished, SIGHUP reloads.]],
  options = { options.home, options.config },
}

-- The words of the log are printed by the workers; this is for the person who has started it.
local READY, SECURE, OPS = "Parley listens on http://{public}\n",
  "and over TLS on https://{secure}\n", "metrics and probes on http://{ops}\n"

local CURL = [[

Talk to it in a browser:

  http://{public}/chat#token=%s

or from a terminal:

  curl -s http://{public}/api/v1/dialogs/first/messages -H 'X-Bot-Token: %s' \
    -H 'Content-Type: application/json' \
    -d '{"user":{"external_id":"me"},"type":"text","text":"/echo hello"}'

]]

local DATABASE_S = 15 -- a server that is started together with this host

local PRIVATE = tonumber("700", 8)
local DEV_SCOPES = { "dialogs:read", "dialogs:write", "users:write" }

-- Whether the token of the file is one of this database. Its secret is not checked: that takes the
-- time of a bcrypt, and the file is as private as the database.
local function still_valid(db, text)
  local parts = token.parse(text)
  local row = parts and tokens.get(db, parts.id)
  return row and not row.revoked_at and not (row.expires_at and row.expires_at <= time.now_ms())
end

-- A developer's own token, so that the printed line works as pasted. Only in the dev profile: a
-- secret in a file is no way to hand out tokens elsewhere.
local function dev_token(db, dir)
  local path = dir .. "/data/dev-token"
  local text = fs.read(path, 100)
  if text then
    text = text:gsub("%s", "")
    if still_valid(db, text) then return text end
  end
  local id, ok, err
  text, id = issue.store(db, { kind = "bot", label = "dev profile", scopes = DEV_SCOPES })
  if not text then return nil, id end
  ok, err = fs.write(path, text .. "\n", tonumber("600", 8))
  if not ok then return nil, err end
  return text
end

-- The database is brought up to date here, and the master key made, once, before there are workers.
local function prepare(cfg)
  local id, db
  local master, err = secrets.master(cfg)
  if not master then return nil, err end
  db, err = store.open(cfg, {
    patience = DATABASE_S,
    waiting = function(problem)
      log.write("warn", "waiting for the database", { error = problem.message })
    end,
  })
  if not db then return nil, err end
  id, err = cluster.identity(cfg.home) -- made once, before there are workers that share it
  if not id then return nil, err end
  local greeting = READY .. (cfg.https_listen and SECURE or "") .. OPS
  if cfg.profile == "dev" then
    local text
    text, err = dev_token(db, cfg.home)
    greeting = text and greeting .. CURL:format(text, text)
  end
  db:close()
  return greeting, err
end

-- A database in a file is for one host: two, of different homes, would each take the work of the
-- other for left over. What runs on this home the supervisor finds out, and says.
local function take_database(cfg, dir)
  local path = cfg.database_url:match "^sqlite:(.+)$"
  if not path then return true end
  local folder = path:match "^(.*)/[^/]*$"
  if folder then
    local ok, err = fs.mkdir(folder, PRIVATE)
    if not ok then return nil, err end
  end
  local ok, err = fs.hold(path .. "-host")
  if ok or err.code ~= "busy" then return ok, err end
  local here = tonumber((fs.read(dir .. "/run/parley.pid", 32) or ""):match "^%d+")
  if here == err.pid then return true end
  err.message = ("another parley serve (pid %d) works with the database %s: SQLite is for one "
    .. "host, PostgreSQL for several"):format(err.pid, path)
  return nil, err
end

local function worker_arguments(o, dir)
  local argv = { "--worker", "--home", dir }
  if o.config then argv[4], argv[5] = "--config", fs.realpath(o.config) or o.config end
  return argv
end

function M.run(o)
  local dir = o.home
  local ok, err = home.set_up(dir)
  if not ok then return exit.failed(err) end
  dir, err = fs.realpath(dir)
  if not dir then return exit.failed(err) end
  local cfg
  cfg, err = config.load(dir, { file = o.config, try = precompile.survives })
  if not cfg then return exit.failed(err) end
  log.setup { level = cfg.log_level, form = cfg.log_format }
  if cfg.https_listen then -- before anything is prepared: a mistake here is the most likely one
    ok, err = certificate.read(cfg)
    if not ok then return exit.failed(err) end
  end
  ok, err = take_database(cfg, dir)
  if not ok then return exit.failed(err) end
  local greeting
  greeting, err = prepare(cfg)
  if not greeting then return exit.failed(err) end
  ok, err = worker.supervise {
    listen = { public = cfg.http_listen, ops = cfg.ops_listen, secure = cfg.https_listen },
    home = dir,
    argv_for_worker = worker_arguments(o, dir), workers = cfg.workers,
    drain_ms = math.floor(cfg.drain_seconds * 1000), ready_message = greeting,
    env = { PARLEY_LOG_LEVEL = fs.getenv "PARLEY_LOG_LEVEL" },
  }
  return ok or exit.failed(err)
end

return M
