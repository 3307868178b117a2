-- parley chat: talks to a running host, through its public API.

local conversation = require "parley.cli.conversation"
local crypto = require "host.crypto"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local home = require "parley.cli.home"
local http = require "host.http_client"
local json = require "host.json"
local options = require "parley.cli.options"

local M = {
  about = [[
Talks to the host that runs on DIR, or at URL. Without a terminal each line of the input is a
message and the replies go to the output; -o json writes each as a document.]],
  options = {
    { name = "url", value = "URL", help = "the address of the host, like http://127.0.0.1:8080" },
    {
      name = "token", value = "TOKEN",
      help = "default: PARLEY_TOKEN, or the one that the dev profile has made",
    },
    { name = "user", value = "ID", help = "who is talking (default: the name of the login)" },
    { name = "dialog", value = "ID", help = "a dialog to go on with (default: a new one)" },
    options.home, options.output,
  },
}

local TIMEOUT = 60

-- Where the host of this home listens.
local function url_of(dir)
  local status, err = home.ask(dir, { cmd = "status" }, 5)
  if not status then return nil, err end
  return "http://" .. status.listen.public
end

local function token_of(o, dir)
  local token = o.token or fs.getenv "PARLEY_TOKEN" or fs.read(dir .. "/data/dev-token", 200)
  if token then return (token:gsub("%s", "")) end
  return nil, {
    code = "config", message = "a token is needed: --token or PARLEY_TOKEN; make one with "
      .. "parley token create --kind bot --scopes dialogs:write,dialogs:read",
  }
end

-- A failure in words that say what to do.
local function failure(status, body)
  local problem = json.decode(body or "") or {}
  local detail = problem.detail or problem.title or ("status " .. status)
  if status == 401 then
    return {
      code = "unauthorized", message = "the token is not accepted: it may be expired or revoked",
    }
  end
  if status >= 500 then detail = detail .. "; trace_id " .. tostring(problem.trace_id) end
  return { code = problem.code or "failed", message = detail }
end

local function client(base, token, dialog)
  return function(method, path, body)
    local r, err = http.request {
      method = method, url = base .. "/api/v1/dialogs/" .. dialog .. path, timeout = TIMEOUT,
      body = body and json.encode(body), max_body = 16 * 1024 * 1024,
      allow_private = true, -- the person has named the address
      headers = {
        ["X-Bot-Token"] = token, ["Content-Type"] = body and "application/json" or nil,
      },
    }
    if not r then
      err.message = ("%s cannot be reached: %s"):format(base, err.message)
      return nil, err
    end
    if r.status >= 400 then return nil, failure(r.status, r.body) end
    return json.decode(r.body)
  end
end

-- Replies that came by themselves: those that are new, and not the answer of a request.
local function poller(request, seen)
  return function()
    local snapshot = request("GET", "?limit=20")
    local out = {}
    for _, m in ipairs(snapshot and snapshot.messages or {}) do
      if m.sender_type ~= "user" and not seen[m.id] then
        if seen.begun then out[#out + 1] = m.payload end
      end
      seen[m.id] = true
    end
    seen.begun = true
    return out
  end
end

function M.run(o)
  local dir = o.home
  local base, err = o.url, nil
  if not base then base, err = url_of(dir) end
  if not base then return exit.failed(err) end
  local token, missing = token_of(o, dir)
  if not token then return exit.failed(missing) end
  local who = o.user or "terminal-" .. (fs.getenv "USER" or "user"):gsub("[^%w._-]", "_")
  local dialog = o.dialog or who .. "-" .. crypto.hex(crypto.random(3))
  if not dialog:find "^[%w._:%-]+$" or #dialog > 64 then
    return exit.usage "--dialog: 1 to 64 characters of A-Z a-z 0-9 . _ : - expected"
  end
  local request, seen = client(base:gsub("/+$", ""), token, dialog), {}
  return conversation.new({
    form = o.output == "json" and "json" or "text",
    send = function(message)
      message.user, message.channel = { external_id = who }, "terminal"
      message.message_id = crypto.uuid7()
      local reply, e = request("POST", "/messages", message)
      if reply and reply.reply_message_id then seen[reply.reply_message_id] = true end
      seen.begun = true
      return reply, e
    end,
    reset = function() return request("POST", "/reset", {}) end,
    poll = poller(request, seen),
  }):run()
end

return M
