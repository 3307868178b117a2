-- parley broadcast create

local broadcasts = require "parley.broadcasts"
local compile = require("parley.schema.compile").compile
local fs = require "host.fs"
local json = require "host.json"
local order = require "parley.cli.broadcast.order"
local schema = require "parley.schema.v1alpha_broadcasts"

local FILE_MAX = 1024 * 1024
local LIST_MAX = 256 * 1024 * 1024

local M = {
  about = [[
Makes a draft and prints its id; parley broadcast start sends it. Without --to and filters in the
file it goes to everybody who has written to the bot.]],
  options = order.options {
    {
      name = "file", value = "FILE",
      help = "what to send, as BroadcastCreateV1 of the HTTP API in JSON",
    },
    { name = "text", value = "TEXT", help = "instead of a file: this text alone" },
    { name = "bot", value = "NAME", help = "who sends it (default main)" },
    { name = "label", value = "TEXT", help = "what it is, for people" },
    {
      name = "to", value = "FILE",
      help = "recipients, one on each line: an id of Telegram, or a dialog like tg:main:42",
    },
  },
}

local function wrong(fmt, ...)
  return nil, { code = "validation_failed", message = fmt:format(...), retryable = false }
end

local function read_body(o)
  if (o.file ~= nil) == (o.text ~= nil) then return wrong "either --file or --text is needed" end
  if o.text then return { actions = json.array { { type = "send", text = o.text } } } end
  local text, err = fs.read_any(o.file, FILE_MAX)
  if not text then return nil, err end
  local body
  body, err = json.decode(text)
  if body == nil then return wrong("%s: %s", o.file, err.message) end
  local errors = compile(schema.BroadcastCreateV1)(body)
  if not errors then return body end
  local at = errors[1].path == "" and "the document" or errors[1].path
  return wrong("%s: %s: %s", o.file, at, errors[1].message)
end

local function read_list(path)
  local text, err = fs.read_any(path, LIST_MAX)
  if not text then return nil, err end
  local audience, line = { dialogs = {}, telegram_ids = {} }, 0
  for word in text:gmatch "([^\n]*)\n?" do
    line = line + 1
    word = word:match "^%s*(.-)%s*$"
    if word:find "^%d+$" and #word <= 15 then
      table.insert(audience.telegram_ids, tonumber(word))
    elseif word:find "^tg:" then
      table.insert(audience.dialogs, word)
    elseif word ~= "" then
      return wrong("%s:%d: an id of Telegram or of a dialog expected, got '%s'", path, line,
        word:sub(1, 40))
    end
  end
  return audience
end

local function create(db, config, o)
  local body, err = read_body(o)
  if not body then return nil, err end
  if o.to then
    if body.audience then return wrong "recipients: --to, or the file's audience: not both" end
    body.audience, err = read_list(o.to)
    if not body.audience then return nil, err end
  end
  body.bot, body.label = o.bot or body.bot or "main", o.label or body.label
  body.locale = body.locale or config.locale
  local ok
  ok, err = broadcasts.check_bot(db, body.bot)
  if not ok then return nil, err end
  return broadcasts.create(db, body, { by = "cli" })
end

function M.run(o)
  return order.run(o, function(db, config) return create(db, config, o) end,
    function(b) io.stdout:write(b.id, "\n") end)
end

return M
