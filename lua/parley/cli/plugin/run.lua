-- parley plugin run: a terminal chat with one plugin, without a server; what is saved is reloaded.

local config = require "parley.config"
local conversation = require "parley.cli.conversation"
local core = require "parley.core"
local crypto = require "host.crypto"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local json = require "host.json"
local log = require "parley.ops.log"
local options = require "parley.cli.options"
local saved = require "parley.ops.saved"
local task = require "host.task"
local temporary = require "parley.util.temporary"
local terms = require "parley.turn.terms"

local WORDS = 6 -- that are shown at the beginning

-- Takes up what is saved.
local function watch(talk, c, dir, name)
  saved.run({ plugins = { dir }, folders = { c.config.home .. "/conf" } }, function()
    local ok, err = c:reload()
    talk:tell(talk.t(ok and "reloaded" or "kept", name) .. (ok and "" or "\n" .. err.message))
  end, log.write)
end

-- The home's settings, and a database that goes with the process.
local function configuration(o, dir, name)
  local cfg, err = config.load(o.home, { file = o.config })
  if not cfg then return nil, err end
  local scratch
  scratch, err = temporary.folder()
  if not scratch then return nil, err end
  local function prepare(c)
    c.plugin_folders = { [name] = dir }
    c.database_url, c.database_scratch = "sqlite:" .. scratch .. "/parley.db", true
    local again = c.again
    c.again = function()
      local fresh, problem = again()
      return fresh and prepare(fresh), problem
    end
    return c
  end
  return prepare(cfg), scratch
end

local function talk_to(c)
  local dialog, last = crypto.uuid7(), nil
  local function send(message)
    message.user, message.channel = { external_id = "author" }, "terminal"
    local turn, err = c.turn:receive(dialog, message, {
      trace_id = crypto.trace_id(), body = crypto.uuid7(),
    })
    if not turn then return nil, err end
    return json.decode(turn.response_text)
  end
  local function poll()
    local rows = c.db:query("SELECT id, payload FROM messages WHERE dialog_id = $1 AND id > $2 "
      .. "AND sender_type = 'plugin' ORDER BY id", dialog, last or "")
    local out = {}
    for i, row in ipairs(rows or {}) do
      out[i] = { id = row.id, actions = json.decode(row.payload).actions }
      last = row.id
    end
    return out
  end
  local function reset()
    dialog = crypto.uuid7()
    return true
  end
  return send, reset, poll
end

-- What a person may say to it, from its manifest: its commands, and an example of each intent.
local function words_for(plugin)
  local out = {}
  for _, c in ipairs(plugin.manifest.commands or {}) do out[#out + 1] = "/" .. c.name end
  for _, intent in ipairs(plugin.manifest.intents or {}) do
    local example = intent.examples and intent.examples[1]
    if example then out[#out + 1] = '"' .. example .. '"' end
  end
  return #out > 0 and table.concat({ unpack(out, 1, WORDS) }, ", ") or nil
end

local M = {
  about = [[
Talks to a plugin in the terminal, without a server; it is reloaded whenever a file of it is saved.
No other plugin answers but the fallback, unless --all is given. Settings are those of the home, the
database is gone at the end.]],
  arguments = { { name = "PLUGIN", help = "a name, or the path of a folder", needed = true } },
  options = {
    { name = "all", help = "the other plugins of the home may answer, too" },
    options.home, options.config, options.output,
  },
}

function M.run(o)
  local dir, err = find.one(o.home, o[1])
  if not dir then return exit.failed(err) end
  local name = dir:match "([^/]+)$"
  local cfg, scratch = configuration(o, dir, name)
  if not cfg then return exit.failed(scratch) end
  log.setup { level = fs.getenv "PARLEY_LOG_LEVEL" or "warn", form = cfg.log_format }
  local c
  c, err = core.new(cfg)
  if not c then return exit.failed(err) end
  local alone = terms.new { name = "terminal", plugins = { name }, config = {} }
  if not o.all then c.turn.terms = function() return alone end end
  c:begin()
  local words = words_for(c.manager.current.chooser.by_name[name])
  local send, reset, poll = talk_to(c)
  local talk = conversation.new {
    send = send, reset = reset, poll = poll, trace = true,
    form = o.output == "json" and "json" or "text", words = words,
  }
  local watcher = task.spawn(watch, talk, c, dir, name)
  local code = talk:run()
  watcher:cancel()
  c:close()
  temporary.remove(scratch)
  return code
end

return M
