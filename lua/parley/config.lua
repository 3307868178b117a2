-- The configuration: Lua data, evaluated with env(), secret() and include() only, checked key by
-- key.
--
-- Order of precedence: PARLEY_* of the environment, the file that PARLEY_*_FILE names,
-- conf/parley.lua, the defaults below.

local fs = require "host.fs"
local json = require "host.json"
local problems = require "parley.plugins.problems"
local redis = require "host.redis"
local suggest = require "parley.util.suggest"

local M = {}

-- So many requests in so many seconds.
local RATE = {
  "table", nil, keys = {
    requests = { "number", nil, min = 1, max = 1e6, integer = true, needed = true },
    seconds = { "number", nil, min = 1, max = 86400, integer = true, needed = true },
  },
}

-- Limits of a profile whose configuration has none: far above what people do, below what a broken
-- client does to everybody else.
local PRODUCTION_RATES = {
  user = { requests = 20, seconds = 10 }, bot = { requests = 12000, seconds = 60 },
  plugin = { requests = 12000, seconds = 60 }, telegram = { requests = 20, seconds = 10 },
}

-- What the people of a type of client may do, in chats with bots.
local ACCESS = {
  "table", nil, keys = {
    messages = { "boolean", true }, presses = { "boolean", true }, events = { "boolean", true },
    commands = { "table", nil, open = true }, -- names of those that they may use; nil: as messages
  },
}

-- Every key: its type, default, the variable that overrides it, and its bounds. `restart`: a reload
-- cannot change it. `needed`: it must be given. `profiles`: defaults of a profile.
local KEYS = {
  profile = { "string", "dev", one_of = { "dev", "staging", "prod" }, env = "PARLEY_PROFILE" },
  http_listen = {
    "string", "127.0.0.1:8080", env = "PARLEY_HTTP_LISTEN", address = true, restart = true,
  },
  -- the same over TLS, and its certificate; paths are of the home
  https_listen = {
    "string", nil, env = "PARLEY_HTTPS_LISTEN", address = true, restart = true,
  },
  tls = { "table", {}, keys = {
    certificate = { "string", nil, env = "PARLEY_TLS_CERTIFICATE_FILE" },
    key = { "string", nil, env = "PARLEY_TLS_KEY_FILE" },
  } },
  -- connections of a worker: in all, and of one address (0: any number)
  http_connections = { "number", 10000, min = 10, max = 1e6, integer = true, restart = true },
  http_connections_per_address = {
    "number", 0, min = 0, max = 1e6, integer = true, restart = true,
    profiles = { staging = 256, prod = 256 },
  },
  ops_listen = {
    "string", "127.0.0.1:8081", env = "PARLEY_OPS_LISTEN", address = true, restart = true,
  },
  -- sqlite:PATH, or a postgres:// address of libpq, with its sslmode and the like
  database_url = { "string", nil, env = "PARLEY_DATABASE_URL", restart = true },
  -- PostgreSQL only: connections of each worker, and whether one that runs without fsync will do
  database_writers = { "number", 2, min = 1, max = 16, restart = true },
  database_readers = { "number", 2, min = 1, max = 16, restart = true },
  database_unsafe = { "boolean", false, restart = true },
  -- redis://[:password@]host[:port][/database] or redis+unix://[:password@]/path[?db=database]
  redis_url = { "string", nil, env = "PARLEY_REDIS_URL", restart = true },
  -- one for each core with PostgreSQL; a database in a file has one
  workers = { "number", nil, env = "PARLEY_WORKERS", min = 1, max = 64, restart = true },
  -- what is saved in conf/ and plugins/ is taken up at once; nil: in the profile dev
  watch = { "boolean", nil, env = "PARLEY_WATCH", restart = true },
  drain_seconds = { "number", 10, min = 0, max = 600 },
  log_level = {
    "string", "info", one_of = { "debug", "info", "warn", "error" }, env = "PARLEY_LOG_LEVEL",
  },
  -- auto: for people on a terminal, else JSON
  log_format = {
    "string", "auto", one_of = { "auto", "json", "human" }, env = "PARLEY_LOG_FORMAT",
  },
  locale = { "string", "en" },
  -- the signing secrets of plugins that register come from it; without it, one is made in data/
  secret_key = { "string", nil, env = "PARLEY_SECRET_KEY", min_length = 32, restart = true },
  -- plugins may register at addresses of private networks: for development
  allow_private_plugins = { "boolean", false, env = "PARLEY_ALLOW_PRIVATE_PLUGINS" },
  -- for the states of Lua plugins, of each worker; those that are not used are closed first
  plugins_memory_mb = { "number", 24, min = 1, max = 65536 },
  bundles_kept = { "number", 10, min = 2, max = 1000, integer = true }, -- of each plugin
  -- /reset, and its words in three languages, start a dialog anew; false: they are the plugins'
  reset_command = { "boolean", true },
  -- how long sessions live whose plugin does not say; nil: for ever
  session_ttl_seconds = { "number", nil, min = 1, max = 31536000 },
  -- how long a plugin waits for the next message of a conversation (c:enter)
  conversation_seconds = { "number", 86400, min = 1, max = 31536000 },
  fallback_plugin = { "string", "text_reply" },
  -- a handler that takes longer is in the log, with what it has waited for
  slow_handler_seconds = { "number", 1, min = 0.001, max = 300 },
  turn_timeout_seconds = { "number", 30, min = 1, max = 300 },
  continue_seconds = { "number", 900, min = 0.1, max = 86400 },
  heartbeat_timeout_seconds = { "number", 120, min = 0.1, max = 86400 },
  manifest_poll_seconds = { "number", 60, min = 0.1, max = 86400 },
  -- calls of plugins whose request and answer are kept, in plugin_calls
  record_calls = { "string", "failed", one_of = { "none", "failed", "all" } },
  lane_queue = { "number", 100, min = 1, max = 10000 },
  -- messages of one bot that were acknowledged and are not answered, in each worker: the rest waits
  -- at Telegram
  accepted_queue = { "number", 200, min = 10, max = 4000, integer = true, restart = true },
  llm = { "table", {}, keys = {
    provider = { "string", "mock", one_of = { "mock", "openai" }, env = "PARLEY_LLM_PROVIDER" },
    url = { "string", nil, env = "PARLEY_LLM_URL" },
    key = { "string", nil, env = "PARLEY_LLM_KEY" },
    model = { "string", "gpt-4o-mini" },
    timeout_seconds = { "number", 10, min = 0.1, max = 120 },
    -- per million tokens, by model: { ["gpt-4o-mini"] = { prompt = 0.15, completion = 0.6 } }
    prices = { "table", {}, open = true },
  } },
  -- files of plugins, in data/blobs: of users, and to be sent to them
  files = { "table", {}, keys = {
    max_mb = { "number", 20, min = 0.01, max = 2000, restart = true }, -- of one file
    user_mb = { "number", 100, min = 0.01, max = 1e6, restart = true },
    plugin_mb = { "number", 1024, min = 0.01, max = 1e7, restart = true },
    total_mb = { "number", 4096, min = 0.01, max = 1e7, restart = true },
    ttl_seconds = { "number", 7 * 86400, min = 1, max = 366 * 86400, restart = true },
    -- media types that may be kept, like "image/png" and "image/*"; nil: all
    types = { "table", nil, open = true, restart = true },
  } },
  telegram = { "table", {}, keys = {
    token = { "string", nil, env = "TELEGRAM_BOT_TOKEN", restart = true },
    -- https://api.telegram.org, or a server of one's own
    api = { "string", "https://api.telegram.org", env = "PARLEY_TELEGRAM_API", restart = true },
    -- a turn that takes longer shows that the bot is typing; a press that is not answered by then
    -- is answered by the host
    -- a Bot API server of one's own keeps its files on a disk that this host has, too
    local_files = { "boolean", false, restart = true },
    typing_seconds = { "number", 1, min = 0.1, max = 3600, restart = true },
    press_seconds = { "number", 5, min = 0.1, max = 14, restart = true },
    -- what Telegram allows, so that it need not refuse; paced = false: only what it refuses counts
    access = { "table", {}, keys = { internal = ACCESS, tg_client = ACCESS, public = ACCESS } },
    limits = { "table", {}, restart = true, keys = {
      paced = { "boolean", true, env = "PARLEY_TELEGRAM_PACED" },
      chat_per_second = { "number", 1, min = 0.01, max = 1000 },
      chat_burst = { "number", 3, min = 1, max = 1000 },
      group_per_minute = { "number", 20, min = 1, max = 1000, integer = true },
      bot_per_second = { "number", 30, min = 0.1, max = 10000 },
    } },
  } },
  rate_limits = {
    "table", {}, keys = { user = RATE, bot = RATE, plugin = RATE, telegram = RATE },
    profiles = { staging = PRODUCTION_RATES, prod = PRODUCTION_RATES },
  },
  -- which ring a plugin runs in: origin: trusted when it is the operator's own, else isolated
  plugin_ring = { "string", "origin", one_of = { "origin", "trusted", "isolated" } },
  -- confined processes that each worker keeps ready while it has isolated plugins
  plugin_spares = { "number", 1, min = 0, max = 16, integer = true },
  plugins = { "table", {}, open = true },
  secrets = { "table", {}, open = true },
}

local function fail(fmt, ...)
  return nil, { code = "config", message = fmt:format(...), retryable = false, op = "config" }
end

-- Where a key stands in the source, for the message: the first place that assigns it behind the
-- ones that assign the tables it is in.
local function line_of(source, path)
  local at = 1
  for key in path:gmatch "[^.]+" do
    local _, last = source:find("%f[%w_]" .. key:gsub("%p", "%%%0") .. "%f[^%w_]%s*=", at)
    if not last then break end
    at = last
  end
  return select(2, source:sub(1, at):gsub("\n", "")) + 1
end

local function check_value(where, key, spec, value)
  if type(value) ~= spec[1] then
    return fail("%s: '%s': expected a %s, got %s", where, key, spec[1],
      type(value) == "string" and ("'%s'"):format(value) or type(value))
  end
  if spec.one_of then
    for _, v in ipairs(spec.one_of) do if v == value then return true end end
    return fail("%s: '%s': expected one of %s, got '%s'.%s", where, key,
      table.concat(spec.one_of, ", "), value, suggest.hint(value, spec.one_of))
  end
  if spec.min and (value < spec.min or value > spec.max or value ~= value) then
    return fail("%s: '%s': expected %g to %g, got %g", where, key, spec.min, spec.max, value)
  end
  if spec.integer and value % 1 ~= 0 then
    return fail("%s: '%s': expected a whole number, got %g", where, key, value)
  end
  if spec.min_length and #value < spec.min_length then
    return fail("%s: '%s': expected at least %d characters, got %d", where, key, spec.min_length,
      #value)
  end
  if spec.address and not M.split_address(value) then
    return fail("%s: '%s': expected HOST:PORT with a numeric host, got '%s'", where, key, value)
  end
  return true
end

---@param address string "127.0.0.1:8080" or "[::1]:8080"
---@return string|nil host
---@return integer|nil port
function M.split_address(address)
  local host, port = address:match "^%[?([%x:%.]+)%]?:(%d+)$"
  port = tonumber(port)
  if not host or port > 65535 then return nil end
  return host, port
end

-- What the file holds that NAME_FILE names: secrets need not stand in the environment, which others
-- can read.
---@return string|nil text nil without a problem: there is no such variable
---@return string|nil problem
local function from_named_file(name, getenv)
  local path = getenv(name .. "_FILE")
  if not path or path == "" then return nil end
  local text, err = fs.read(path, 65536)
  if not text then return nil, err.message end
  return (text:gsub("%s+$", ""))
end

---@return any value
---@return string|nil variable that it comes from
---@return string|nil problem
local function from_environment(spec, getenv)
  if not spec.env then return nil end
  local text, variable, problem = getenv(spec.env), spec.env, nil
  if not text or text == "" then
    variable = spec.env .. "_FILE"
    text, problem = from_named_file(spec.env, getenv)
  end
  if not text or text == "" then return nil, variable, problem end
  if spec[1] == "number" then return tonumber(text) or text, variable end
  if spec[1] == "boolean" and (text == "true" or text == "false") then
    return text == "true", variable
  end
  return text, variable
end

local function fill(out, given, keys, prefix, file, source, getenv)
  for key in pairs(given) do
    if not keys[key] then
      return fail("%s:%d: unknown key '%s%s'.%s", file, line_of(source, prefix .. tostring(key)),
        prefix, tostring(key), suggest.hint(tostring(key), keys))
    end
  end
  for key, spec in pairs(keys) do
    local value, where, problem = from_environment(spec, getenv)
    if problem then return fail("%s: %s", where, problem) end
    if value == nil and given[key] ~= nil then
      value, where = given[key], ("%s:%d"):format(file, line_of(source, prefix .. key))
    end
    if value == nil and spec.needed then
      return fail("%s:%d: '%s%s' is missing", file, line_of(source, prefix), prefix, key)
    end
    if value == nil then value, where = spec[2], "default" end
    if value ~= nil then
      local ok, err = check_value(where, prefix .. key, spec, value)
      if not ok then return nil, err end
    end
    if spec.keys and value ~= nil then
      local inner = {}
      local ok, err = fill(inner, value, spec.keys, prefix .. key .. ".", file, source, getenv)
      if not ok then return nil, err end
      value = inner
    end
    out[key] = value
  end
  return true
end

-- env, secret and include: all that a configuration may call.
local function environment(dir, getenv, load_file)
  return {
    env = function(name, default) return getenv(name) or default end,
    secret = function(name)
      local value = getenv(name)
      if value then return value end
      local text, problem = from_named_file(name, getenv)
      if text then return text end
      error(problem and ("secret '%s': %s"):format(name, problem)
        or ("secret '%s': set %s or %s_FILE"):format(name, name, name), 2)
    end,
    include = function(name)
      if type(name) ~= "string" or name:find("..", 1, true) or name:sub(1, 1) == "/" then
        error("include: a file beside this one expected", 2)
      end
      return load_file(dir .. "/" .. name)
    end,
  }
end

---Evaluates a file of the configuration. Raises with file and line.
---@param from {getenv: function, texts: table<string, string>, known: boolean, try: function|nil}
---  `texts` gets the text, or has it when all are known; `try`: of M.load
local function evaluate(path, from)
  local source, err
  if from.known then
    source, err = from.texts[path], { message = path .. " was not kept" }
  else
    source, err = fs.read(path, 1024 * 1024)
  end
  if source and from.try then
    local ok, problem = from.try(path, source)
    if not ok then source, err = nil, problem end
  end
  if not source then error(err.message, 0) end
  from.texts[path] = source
  local chunk, syntax = loadstring(source, "@" .. problems.chunk(path))
  if not chunk then error(problems.unfold(path, syntax), 0) end
  if source:byte(1) == 27 then error(path .. ": bytecode is not accepted", 0) end
  local dir = path:match "^(.*)/[^/]*$" or "."
  setfenv(chunk, environment(dir, from.getenv, function(p) return (evaluate(p, from)) end))
  local ok, value = pcall(chunk)
  if not ok then error(type(value) == "string" and problems.unfold(path, value) or value, 0) end
  return value, source
end

---The keys that differ and that only a restart takes up.
---@param old table
---@param new table
---@return string[] keys, sorted
function M.needs_restart(old, new)
  local out = json.array()
  for key, spec in pairs(KEYS) do
    if spec.restart and old[key] ~= new[key] then out[#out + 1] = key end
  end
  table.sort(out)
  return out
end

-- Whether a server of PostgreSQL is on this machine.
local function is_here(url)
  local host = url:match "[?&]host=([^&]*)"
    or url:match "^%w+://([^/?]*)":gsub("^.*@", ""):gsub(":%d*$", "")
  return host == "" or host == "localhost" or host == "[::1]" or host:find "^127%." ~= nil
    or host:find "^/" ~= nil or host:find "^%%2[fF]" ~= nil -- the folder of its socket
end

-- A server on this machine needs about as much of it as the workers do, and takes more turns from
-- half as many: their groups are larger.
local function workers_for(url)
  if url:find "^sqlite:" then return 1 end
  local cores = math.min(fs.cores(), 64)
  return is_here(url) and math.max(1, math.floor(cores / 2)) or cores
end

-- Paths are of the home, wherever the host was started.
local function check_tls(config)
  local files = config.tls
  if (config.https_listen or files.certificate or files.key)
    and not (config.https_listen and files.certificate and files.key) then
    return fail("https_listen, tls.certificate and tls.key belong together: '%s' is missing",
      not config.https_listen and "https_listen"
        or not files.certificate and "tls.certificate" or "tls.key")
  end
  for name, path in pairs(files) do
    if path:sub(1, 1) ~= "/" then files[name] = config.home .. "/" .. path end
  end
  return true
end

---Loads and checks the configuration of a home.
---@param home string
---@param opts {file: string|nil, getenv: function|nil, texts: table<string, string>|nil,
---  try: (fun(path: string, text: string): boolean|nil, table|nil)|nil}|nil texts: of the files, by
---  path, instead of what is on the disk; try: asked before a text is compiled
---@return table|nil config `again()` loads it anew from the disk; `evaluate(file)` gives what
---  another file returns and its text, behind pcall's boolean, and `exists(file)` whether there is
---  one; `texts` are those of all files that were read
---@return table|nil err {code = "config", message with file, line, key, expected, got}
function M.load(home, opts)
  opts = opts or {}
  local getenv = opts.getenv or fs.getenv
  local path = opts.file or home .. "/conf/parley.lua"
  local given, source = {}, ""
  local from = { getenv = getenv, texts = {}, known = opts.texts ~= nil, try = opts.try }
  for name, text in pairs(opts.texts or {}) do from.texts[name] = text end
  local function exists(file)
    if from.known then return from.texts[file] ~= nil end
    return fs.exists(file)
  end
  if exists(path) or opts.file then
    local ok, value, text = pcall(evaluate, path, from)
    if not ok then return fail("%s", tostring(value)) end
    if type(value) ~= "table" then
      return fail("%s:1: the file must return a table, got %s", path, type(value))
    end
    given, source = value, text
  end
  local config = {
    home = home, file = path, texts = from.texts, exists = exists,
    again = function()
      return M.load(home, { file = opts.file, getenv = opts.getenv, try = opts.try })
    end,
    evaluate = function(other) return pcall(evaluate, other, from) end,
    place = function(key) return ("%s:%d"):format(path, line_of(source, key)) end,
  }
  local ok, err = fill(config, given, KEYS, "", path, source, getenv)
  if not ok then return nil, err end
  for key, spec in pairs(KEYS) do
    local default = spec.profiles and given[key] == nil and spec.profiles[config.profile]
    if default then config[key] = default end
  end
  ok, err = check_tls(config)
  if not ok then return nil, err end
  config.database_url = config.database_url or "sqlite:" .. home .. "/data/parley.db"
  local scheme = config.database_url:match "^(%w+):"
  if scheme ~= "sqlite" and scheme ~= "postgres" and scheme ~= "postgresql" then
    return fail("database_url: expected sqlite:PATH or postgres://..., got '%s'",
      config.database_url:gsub("://[^@/]*@", "://***@"))
  end
  if config.watch == nil then config.watch = config.profile == "dev" end
  config.workers = config.workers or workers_for(config.database_url)
  if scheme == "sqlite" and config.workers > 1 then
    return fail("workers: %d workers need PostgreSQL; with SQLite there is one", config.workers)
  end
  if config.redis_url then
    ok, err = redis.check(config.redis_url)
    if not ok then return fail("redis_url: %s", err.message) end
  end
  if config.llm.provider ~= "mock" and not config.llm.url then
    return fail("llm.url (PARLEY_LLM_URL) is needed by the provider '%s': the address up to and "
      .. "without /chat/completions", config.llm.provider)
  end
  return config
end

return M
