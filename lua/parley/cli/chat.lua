-- parley chat: talks to a running host, through its public API.

local client = require "parley.cli.dialog_client"
local config = require "parley.config"
local conversation = require "parley.cli.conversation"
local crypto = require "host.crypto"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local home = require "parley.cli.home"
local issue = require "parley.auth.issue"
local options = require "parley.cli.options"
local store = require "parley.store"
local texts = require "parley.cli.texts"
local time = require "host.time"
local tokens = require "parley.store.tokens"

local OWN_TOKEN_MS = 12 * 3600 * 1000 -- when the process is killed and cannot revoke it

local function check_url(text)
  if text:find "^https?://[^/%s]+" then return text end
  return nil, ("http://HOST:PORT or https://... expected, got '%s'"):format(text)
end

local function check_id(text)
  if text:find "^[%w._:%-]+$" and #text <= 64 then return text end
  return nil, ("1 to 64 characters of A-Z a-z 0-9 . _ : - expected, got '%s'"):format(text)
end

local M = {
  about = [[
Talks to the host that runs on DIR, or at URL. Without a terminal each line of the input is a
message and the replies go to the output; -o json writes each as a document. It speaks English,
Russian or Ukrainian, as LC_ALL, LC_MESSAGES or LANG say.]],
  options = {
    {
      name = "url", value = "URL", check = check_url,
      help = "the address of another host; it needs a token of that host",
    },
    {
      name = "token", value = "TOKEN",
      help = "default: PARLEY_TOKEN, or one that it makes on DIR for itself",
    },
    {
      name = "user", value = "ID", check = check_id,
      help = "who is talking (default: the name of the login)",
    },
    {
      name = "dialog", value = "ID", check = check_id,
      help = "a dialog to go on with (default: a new one)",
    },
    options.home, options.config, options.output,
  },
}

-- Where the host of this home listens.
local function url_of(dir)
  local status, err = home.ask(dir, { cmd = "status" }, 5)
  if not status then return nil, err end
  local address = status.listen.public
  if address:find "^%d" or address:find "^%[" then return "http://" .. address end
  return nil, {
    code = "config", message = "the host listens on " .. address .. ": --url is needed",
  }
end

-- A token of the host on this home, for as long as this process runs; and how to end it.
local function own_token(o)
  local cfg, err = config.load(o.home, { file = o.config })
  if not cfg then return nil, err end
  local db
  db, err = store.open(cfg, { migrate = false })
  if not db then return nil, err end
  local text, id = issue.store(db, {
    kind = "bot", scopes = { "dialogs:read", "dialogs:write" }, label = "parley chat",
    expires_at = time.now_ms() + OWN_TOKEN_MS,
  })
  if text then
    return text, function()
      db:commit { tokens.revoke(id) }
      db:close()
    end
  end
  db:close()
  return nil, id
end

-- The token to show, and what to do with it at the end. A token of this home goes to no other host.
local function token_of(o, t)
  local given = o.token or fs.getenv "PARLEY_TOKEN"
  if not given and o.url then return nil, { code = "usage", message = t "token_needed" } end
  given = given or fs.read(o.home .. "/data/dev-token", 200)
  if given then return (given:gsub("%s", "")), function() end end
  return own_token(o)
end

function M.run(o)
  local t = texts.of(texts.language())
  local url, err = o.url, nil
  if not url then url, err = url_of(o.home) end
  if not url then return exit.failed(err) end
  local token, done = token_of(o, t)
  if not token then return exit.failed(done) end
  local login = (fs.getenv "USER" or "user"):gsub("[^%w._-]", "_"):sub(1, 40)
  local user = o.user or "terminal-" .. login
  local dialog = client.new {
    url = url, token = token, user = user, t = t,
    dialog = o.dialog or user .. "-" .. crypto.hex(crypto.random(6)),
  }
  local talk = conversation.new {
    form = o.output == "json" and "json" or "text",
    send = function(message) return dialog:send(message) end,
    reset = function() return dialog:reset() end,
    poll = function() return dialog:latest() end,
  }
  if o.dialog then talk:skip(dialog:latest() or {}) end
  local code = talk:run()
  done()
  return code
end

return M
