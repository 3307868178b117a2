-- A Telegram of its own: the Bot API over HTTP, with the people at the other end. For specs, loads,
-- and authors of plugins; it can be told to misbehave.
--
-- https://core.telegram.org/bots/api is what it follows: offsets and long polling, webhooks with
-- their secret and their retries, limits with retry_after, refusals word by word.

local control = require "parley.sim.telegram.control"
local crypto = require "host.crypto"
local failure = require "parley.sim.telegram.failure"
local faults = require "parley.sim.telegram.faults"
local fs = require "host.fs"
local http = require "host.http_server"
local json = require "host.json"
local pace = require "parley.sim.telegram.pace"
local params_of = require "parley.sim.telegram.params"
local task = require "host.task"
local time = require "host.time"
local webhooks = require "parley.sim.telegram.webhooks"
local world = require "parley.sim.telegram.world"

local M = {}
M.__index = M

local CALLS_MAX = 20000 -- kept for those who look at them
local HANG_S = 30

local METHODS = {}
for _, file in ipairs { "messages", "updates", "about" } do
  for name, run in pairs(require("parley.sim.telegram.methods." .. file)) do
    METHODS[name:lower()] = { name = name, run = run }
  end
end

local function note(self, bot, method, params, reply)
  local n = self.last_call + 1
  self.last_call = n
  local code = reply and (reply.ok and 200 or reply.error_code) or 0
  local key = method .. " " .. code
  self.counts[key] = (self.counts[key] or 0) + 1
  -- Polls say nothing, and there are many.
  self.calls[n] = {
    n = n, at_ms = time.now_ms(), bot = bot.user.username, method = method, code = code,
    params = method ~= "getUpdates" and params or nil, description = reply and reply.description,
  }
  self.calls[n - CALLS_MAX] = nil
end

---Carries a method out.
---@param bot table of the world
---@param method string in any case, as Telegram takes it
---@param params table by name
---@param uploads table<string, {name: string, content: string, mime: string|nil}>
---@return table reply {ok, result} or {ok, error_code, description, parameters}
function M:call(bot, method, params, uploads)
  local known = METHODS[method:lower()]
  local result, err
  if known then
    result, err = known.run(self, bot, params, uploads)
  else
    result, err = failure.not_found()
  end
  local reply = { ok = not err, result = result }
  for key, value in pairs(err or {}) do reply[key] = value end
  note(self, bot, known and known.name or method, params, reply)
  return reply
end

local JSON = "Content-Type: application/json\r\n"

-- Carries out the rule that hits a call; true: the call has been dealt with.
local function misbehave(self, req, bot, rule, method, params, uploads)
  if rule.kind == "slow" then
    task.sleep(rule.seconds or 1)
    return false
  end
  if rule.kind == "lost" or rule.kind == "truncated" then
    local reply = json.encode(self:call(bot, method, params, uploads))
    if rule.kind == "truncated" then
      req:start(200, JSON)
      req:write(reply:sub(1, math.floor(#reply / 2)))
    end
    req:abort()
    return true
  end
  note(self, bot, method, params, nil)
  if rule.kind == "hang" then
    task.sleep(rule.seconds or HANG_S)
    req:abort()
  elseif rule.kind == "reset" then
    req:abort()
  elseif rule.kind == "garbage" then
    req:respond(200, JSON, "<html>\0 502 Bad Gateway \255")
  else
    local said = failure.title(rule.status)
    if rule.retry_after then said = ("%s: retry after %d"):format(said, rule.retry_after) end
    req:respond(rule.status, JSON, (json.encode {
      ok = false, error_code = rule.status, description = rule.description or said,
      parameters = rule.retry_after and { retry_after = rule.retry_after },
    }))
  end
  return true
end

local function bot_call(self, req, query, token, method)
  local bot = self.world.by_token[token]
  local params, uploads = params_of.read(req, query)
  local reply
  if not bot then
    reply = { ok = false, error_code = 401, description = "Unauthorized" }
  elseif not params then
    reply = { ok = false, error_code = 400, description = "Bad Request: the body cannot be read" }
  else
    local rule = self.faults:take(bot, method, params)
    if rule and misbehave(self, req, bot, rule, method, params, uploads) then return end
    reply = self:call(bot, method, params, uploads)
  end
  req:respond(reply.ok and 200 or reply.error_code, JSON, (json.encode(reply)))
end

local OCTETS = "Content-Type: application/octet-stream\r\n"

-- The rest of a file, when a range is asked for (RFC 9110 section 14.2).
local function send_content(req, content, rule)
  local from = tonumber((req:header "range" or ""):match "^bytes=(%d+)%-$") or 0
  local rest, status, head = content:sub(from + 1), 200, OCTETS
  if from > 0 then
    status = 206
    head = ("%sContent-Range: bytes %d-%d/%d\r\n"):format(OCTETS, from, #content - 1, #content)
  end
  if not rule then return req:respond(status, head, rest) end
  req:start(status, head) -- cut off
  req:write(rest:sub(1, math.floor(#rest / 2)))
  req:abort()
end

local function send_file(self, req, token, path)
  path = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  local bot = self.world.by_token[token]
  for _, known in pairs(bot and self.world.files or {}) do
    if known.path == path then
      local rule = self.faults:take(bot, "file", {})
      if rule and rule.kind ~= "truncated" then
        if misbehave(self, req, bot, rule, "file", {}, {}) then return end
        rule = nil
      end
      note(self, bot, "file", { range = req:header "range" }, { ok = true })
      return send_content(req, known.content, rule)
    end
  end
  req:respond(404, JSON, (json.encode { ok = false, error_code = 404, description = "Not Found" }))
end

-- Pictures that a browser may show. All else is bytes, whatever a bot calls it.
local PICTURES = {
  { "^\137PNG", "png" }, { "^\255\216\255", "jpeg" }, { "^GIF8", "gif" },
  { "^RIFF....WEBP", "webp" },
}

-- A file for the page.
local function show_file(self, req, query)
  local id = (params_of.read(req, query) or {}).id
  local known = id and self.world.files[id]
  if not known then return req:respond(404, "Content-Type: text/plain\r\n", "not found\n") end
  local head = OCTETS
  for _, picture in ipairs(PICTURES) do
    if known.content:find(picture[1]) then head = "Content-Type: image/" .. picture[2] .. "\r\n" end
  end
  req:respond(200, head .. "X-Content-Type-Options: nosniff\r\n", known.content)
end

local PAGE = {
  [""] = { "telegram.html", "text/html; charset=utf-8" },
  ["icon.svg"] = { "icon.svg", "image/svg+xml" },
  ["base.css"] = { "base.css", "text/css" },
  ["telegram.css"] = { "telegram.css", "text/css" },
  ["telegram.js"] = { "telegram.js", "text/javascript" },
}

local function send_page(req, name)
  local page = PAGE[name]
  local text = page and fs.read(fs.data_dir() .. "/web/" .. page[1])
  if not text then return req:respond(404, "Content-Type: text/plain\r\n", "not found\n") end
  req:respond(200, "Content-Type: " .. page[2] .. "\r\nCache-Control: no-store\r\n", text)
end

local function serve(self, req, method, path, query)
  local token, name = path:match "^/bot([%w:_-]+)/(%w+)$"
  if token then return bot_call(self, req, query, token, name) end
  local of, file = path:match "^/file/bot([%w:_-]+)/(.+)$"
  if of then return send_file(self, req, of, file) end
  local steer = path:match "^/sim/(%w+)$"
  if steer == "file" then return show_file(self, req, query) end
  if steer then return control.serve(self, req, method, steer, query) end
  send_page(req, path:match "^/([%w.]*)$")
end

---Starts a simulator.
---@param opts {host: string|nil, port: integer|nil, limits: table|false|nil,
---  any_webhook: boolean|nil, webhook_timeout: number|nil, webhook_pause_max: number|nil,
---  clock: function|nil}|nil
---  limits: false for none; any_webhook (default true): http and any port are good for a webhook
---@return table|nil sim
---@return table|nil err
function M.start(opts)
  opts = opts or {}
  local self = setmetatable({
    world = world.new(opts.clock), faults = faults.new(), calls = {}, last_call = 0, counts = {},
    calls_max = CALLS_MAX, loads = {}, any_webhook = opts.any_webhook ~= false,
  }, M)
  if opts.limits == nil then self.limits = pace.DEFAULTS else self.limits = opts.limits end
  self.webhooks = webhooks.new(self,
    { timeout = opts.webhook_timeout, pause_max = opts.webhook_pause_max })
  local server, err = http.listen({
    host = opts.host or "127.0.0.1", port = opts.port or 0, body_bytes = 64 * 1024 * 1024,
    connections = 20000, idle_ms = 120000,
  }, function(...) return serve(self, ...) end)
  if not server then return nil, err end
  self.server = server
  return self
end

function M:port() return self.server:port() end

---What stands in the place of https://api.telegram.org.
function M:url() return "http://127.0.0.1:" .. self.server:port() end

---A token of Telegram's form for another bot.
function M.new_token()
  return ("%d:%s"):format(math.random(1e9, 9e9), crypto.hex(crypto.random(16)))
end

---As a POST to /sim/NAME.
---@return table|nil result
---@return string|nil problem
function M:act(name, given) return control.actions[name](self, given or {}) end

---As a GET of /sim/NAME.
function M:view(name, given) return control.views[name](self, given or {}) end

function M:close()
  self.webhooks:close()
  self.server:close()
end

return M
