-- The JSON endpoint that tools/bench/http measures: routing, token, scopes, validation of the body, and
-- its echo. Prints its port and a token.

local app = require "parley.http.app"
local crypto = require "host.crypto"
local http_server = require "host.http_server"
local json = require "host.json"
local router = require "parley.http.router"
local schema = require "parley.schema.v1alpha"
local task = require "host.task"
local token = require "parley.auth.token"
local verify = require "parley.auth.verify"

local text, id = token.generate "bot"
local row = { id = id, kind = "bot", scopes = { "dialogs:write" }, hash = crypto.bcrypt_hash(text, 4) }
local routes = router.new()
routes:add {
  method = "POST", path = "/api/v1/dialogs/{dialog_id}/messages", auth = "bot", scopes = { "dialogs:write" },
  request = schema.DialogMessageCreateV1,
  handler = function(ctx) return app.json(ctx, 200, json.encode(ctx.body)) end,
}
local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, app.new {
  router = routes, verify = verify.new { get = function() return row end }, log = function() end, db = {},
  level = function() return "info" end,
}))
print(server:port(), text)
io.stdout:flush()
task.cond():wait()
