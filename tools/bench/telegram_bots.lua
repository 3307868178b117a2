-- telegram_bots.lua HOME N: stores N bots in the database of a home that has been begun: those that the simulator makes
-- with `bots` and `count`. One command for each of them would take longer than what is measured.
local bots = require "parley.store.bots"
local database = require "parley.cli.database"
local secrets = require "parley.plugins.secrets"
local vaults = require "parley.auth.vault"

local GROUP = 500 -- of a transaction

local home, n = ...
return database.with({ home = home }, { existing = true }, function(db, config)
  local vault, statements = vaults.new(assert(secrets.master(config))), {}
  for i = 1, tonumber(n) do
    local own = bots.insert({
      name = "b" .. i, token = ("%d:bench"):format(8000000 + i), username = ("b%d_bot"):format(i),
      transport = "polling", state = "active",
    }, vault)
    for _, statement in ipairs(own) do statements[#statements + 1] = statement end
    if i % GROUP == 0 or i == tonumber(n) then
      assert(db:commit(statements))
      statements = {}
    end
  end
  return 0
end)
