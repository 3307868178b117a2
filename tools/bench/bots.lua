-- Run by tools/bench/bots: bots in the simulator at API, and in the home HOME, which no host uses.
-- parley lua tools/bench/bots.lua HOME API FIRST LAST

local bots = require "parley.store.bots"
local config = require "parley.config"
local http = require "host.http_client"
local json = require "host.json"
local secrets = require "parley.plugins.secrets"
local store = require "parley.store"
local vault = require "parley.auth.vault"

local home, api, first, last = ...

local cfg = assert(config.load(home))
local db = assert(store.open(cfg))
local safe = vault.new(assert(secrets.master(cfg)))
local statements = {}

local function commit()
  if #statements > 0 then assert(db:commit(statements)) end
  statements = {}
end

for i = tonumber(first), tonumber(last) do
  local username = ("bench_%d_bot"):format(i)
  local token = ("%d:bench"):format(20000000 + i)
  local r = assert(http.request {
    method = "POST", url = api .. "/sim/bots", allow_private = true,
    headers = { ["Content-Type"] = "application/json" }, body = json.encode { token = token, username = username },
  })
  assert(r.status == 200, r.body)
  for _, s in ipairs(bots.insert({
    name = ("bench_%d"):format(i), token = token, username = username, transport = "polling", state = "active",
  }, safe)) do
    statements[#statements + 1] = s
  end
  if #statements > 500 then commit() end
end
commit()
db:close()
