-- What every plugin may use: ids and JSON.

local crypto = require "host.crypto"
local gate = require "parley.plugins.gate"
local json = require "host.json"

gate.register("uuid", { run = function() return crypto.uuid7() end })

gate.register("json.encode", { run = function(_, v) return json.encode(v) end })

gate.register("json.decode", {
  run = function(_, s)
    if type(s) ~= "string" then return gate.refuse("invalid", "json.decode: text expected") end
    return json.decode(s, gate.JSON)
  end,
})
