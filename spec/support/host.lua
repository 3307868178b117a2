-- A whole core inside the spec's own process, with a client that speaks to its real socket.

local config = require "parley.config"
local core = require "parley.core"
local crypto = require "host.crypto"
local database = require "spec.support.database"
local fs = require "host.fs"
local json = require "host.json"
local log = require "parley.ops.log"
local tcp = require "host.tcp"
local temporary = require "parley.util.temporary"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

local M = {}
M.__index = M

-- Specs provoke warnings and errors all the time.
log.level(fs.getenv "PARLEY_LOG_LEVEL" or "error")

---tools/test takes it away with its TMPDIR.
function M.temp_dir() return assert(temporary.folder()) end

---@param opts {plugins: table<string, {manifest: table, main: string, files: table<string, string>|nil}>|nil,
---   config: string|nil}|nil
function M.start(opts)
  opts = opts or {}
  local self = setmetatable({ home = opts.home or M.temp_dir() }, M)
  if not opts.home then database.forget() end
  if opts.config then
    assert(fs.mkdir(self.home .. "/conf"))
    assert(fs.write(self.home .. "/conf/parley.lua", opts.config))
  end
  for name, p in pairs(opts.plugins or {}) do self:write_plugin(name, p) end
  local cfg = assert(config.load(self.home, { getenv = database.environment(self.home, opts.redis) }))
  local err
  self.core, err = core.new(cfg)
  if not self.core then error(err.message) end
  assert(self.core:begin())
  assert(self.core:listen { host = "127.0.0.1", port = 0 })
  self.port = self.core.server:port()
  self.token = self:make_token { "dialogs:write", "dialogs:read", "users:write" }
  return self
end

function M:write_plugin(name, p)
  local dir = self.home .. "/plugins/" .. name
  assert(fs.mkdir(dir))
  local manifest = {
    schema = "v1alpha", name = name, version = "1.0.0", api = "1", transport = "lua",
    commands = { { name = name, description = name } },
  }
  for k, v in pairs(p.manifest or {}) do manifest[k] = v end
  assert(fs.write(dir .. "/manifest.json", json.encode(manifest)))
  if p.main then assert(fs.write(dir .. "/main.lua", p.main)) end
  for file, text in pairs(p.files or {}) do
    assert(fs.mkdir((dir .. "/" .. file):match "^(.*)/"))
    assert(fs.write(dir .. "/" .. file, text))
  end
end

---A file of a plugin in the home, as it was written.
function M:read_plugin(name, file) return assert(fs.read(("%s/plugins/%s/%s"):format(self.home, name, file))) end

function M:make_token(scopes, kind, expires_at)
  local text, id = token.generate(kind or "bot")
  assert(self.core.db:commit {
    tokens.insert {
      id = id, kind = kind or "bot", scopes = scopes, expires_at = expires_at,
      hash = crypto.bcrypt_hash(text, 4),
    },
  })
  return text, id
end

local TOKEN_HEADERS = { bot = "X-Bot-Token", plg = "X-Plugin-Token", reg = "X-API-Key", adm = "X-Admin-Token" }

---A client with a token in the header of its kind.
---@param kind string
---@param scopes string[]|string a token of the kind that there is already
---@return fun(method: string, path: string, body: any, headers: table|nil): table request
function M:client(kind, scopes)
  local secret = type(scopes) == "string" and scopes or self:make_token(scopes, kind)
  return function(method, path, body, headers)
    local all = { [TOKEN_HEADERS[kind]] = secret }
    for k, v in pairs(headers or {}) do all[k] = v end
    return self:request(method, path, body, { token = false, headers = all })
  end
end

---@return {status: integer, headers: table<string, string>, body: any, text: string}
function M:request(method, path, body, opts)
  opts = opts or {}
  local text = type(body) == "table" and json.encode(body) or body or ""
  local lines = {
    ("%s %s HTTP/1.1"):format(method, path), "Host: localhost", "Connection: close",
    "Content-Length: " .. #text,
  }
  if opts.token ~= false then lines[#lines + 1] = "X-Bot-Token: " .. (opts.token or self.token) end
  if text ~= "" then lines[#lines + 1] = "Content-Type: " .. (opts.type or "application/json") end
  for k, v in pairs(opts.headers or {}) do lines[#lines + 1] = k .. ": " .. v end
  local c = assert(tcp.connect("127.0.0.1", self.port))
  assert(c:write(table.concat(lines, "\r\n") .. "\r\n\r\n" .. text))
  local raw = c:read(nil, 60)
  c:close()
  local head, rest = raw:match "^(.-)\r\n\r\n(.*)$"
  assert(head, "no answer: " .. raw)
  local r = { status = tonumber(head:match "^HTTP/1.1 (%d+)"), headers = {}, text = rest }
  for k, v in head:gmatch "\r\n([^:]+): ([^\r]*)" do r.headers[k:lower()] = v end
  r.body = json.decode(rest)
  return r
end

function M:say(dialog, text, more)
  local body = { user = { external_id = "alice" }, type = "text", text = text }
  for k, v in pairs(more or {}) do body[k] = v end
  return self:request("POST", "/api/v1/dialogs/" .. dialog .. "/messages", body)
end

function M:count(table_name)
  return self.core.db:first("SELECT count(*) AS n FROM " .. table_name).n
end

function M:stop() self.core:close() end

return M
