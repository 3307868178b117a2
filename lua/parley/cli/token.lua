-- parley token create|list|revoke

local cli = require "parley.cli.main"
local config = require "parley.config"
local crypto = require "host.crypto"
local json = require "host.json"
local store = require "parley.store"
local suggest = require "parley.util.suggest"
local time = require "host.time"
local token = require "parley.auth.token"
local tokens = require "parley.store.tokens"

local HELP = [[
usage: parley token create --kind KIND --scopes A,B [--label TEXT] [--expires-days N]
       parley token list
       parley token revoke ID

KIND is bot, plg, reg or adm. Options of all: --home DIR, --config FILE, -o json|table.
The token is printed once and kept as a hash.
]]

local OPTIONS = {
  home = "value", config = "value", o = "value", kind = "value", scopes = "value", label = "value",
  ["expires-days"] = "value", help = "flag",
}

local function parse_scopes(text)
  local known, out = {}, {}
  for _, s in ipairs(token.SCOPES) do known[s] = true end
  for s in (text or ""):gmatch "[^,%s]+" do
    if not known[s] then return nil, "unknown scope '" .. s .. "'." .. suggest.hint(s, known) end
    out[#out + 1] = s
  end
  if #out == 0 then return nil, "--scopes is needed: " .. table.concat(token.SCOPES, ",") end
  return out
end

local function create(db, o)
  if not token.KINDS[o.kind or ""] then
    return cli.usage "--kind is needed: bot, plg, reg or adm"
  end
  local scopes, problem = parse_scopes(o.scopes)
  if not scopes then return cli.usage(problem) end
  local days = o["expires-days"] and tonumber(o["expires-days"])
  if o["expires-days"] and not (days and days > 0) then
    return cli.usage "--expires-days: a positive number expected"
  end
  local text, id = token.generate(o.kind)
  local hash, err = crypto.bcrypt_hash(text, 10)
  if not hash then return cli.failed(err) end
  local ok
  ok, err = db:commit {
    tokens.insert {
      id = id, kind = o.kind, scopes = scopes, hash = hash, label = o.label,
      expires_at = days and time.now_ms() + days * 86400000,
    },
  }
  if not ok then return cli.failed(err) end
  if o.o == "json" then
    io.stdout:write(json.encode({ id = id, token = text }, { sorted = true }), "\n")
  else
    io.stdout:write(text, "\n")
  end
  return 0
end

local function state_of(row)
  if row.revoked_at then return "revoked" end
  if row.expires_at and row.expires_at <= time.now_ms() then return "expired" end
  return "active"
end

local function list(db, o)
  local rows, err = tokens.list(db)
  if not rows then return cli.failed(err) end
  if o.o == "json" then
    local out = json.array()
    for i, row in ipairs(rows) do
      out[i] = {
        id = row.id, kind = row.kind, scopes = row.scopes, label = row.label, state = state_of(row),
        created_at = time.rfc3339(row.created_at),
        expires_at = row.expires_at and time.rfc3339(row.expires_at),
      }
    end
    io.stdout:write(json.encode(out, { sorted = true }), "\n")
    return 0
  end
  for _, row in ipairs(rows) do
    io.stdout:write(("%s  %s  %-8s %s  %s\n"):format(row.id, row.kind, state_of(row),
      time.rfc3339(row.created_at), table.concat(row.scopes, ",")))
  end
  return 0
end

local function revoke(db, o)
  if not o[2] then return cli.usage "token revoke: the id of a token is needed" end
  local results, err = db:commit { tokens.revoke(o[2]) }
  if not results then return cli.failed(err) end
  if results[1].changes == 0 then
    io.stderr:write("parley: no valid token has the id '", o[2], "'\n")
    return 1
  end
  return 0
end

local ACTIONS = { create = create, list = list, revoke = revoke }

return function(...)
  local o, problem = cli.options({ ... }, OPTIONS)
  if not o then return cli.usage(problem) end
  if o.help or not o[1] then
    io.stdout:write(HELP)
    return o.help and 0 or 64
  end
  local action = ACTIONS[o[1]]
  if not action then
    return cli.usage("token: there is no '" .. o[1] .. "'." .. suggest.hint(o[1], ACTIONS))
  end
  local cfg, err = config.load(o.home or ".parley", { file = o.config })
  if not cfg then return cli.failed(err) end
  local db
  db, err = store.open(cfg)
  if not db then return cli.failed(err) end
  local code = action(db, o)
  db:close()
  return code
end
