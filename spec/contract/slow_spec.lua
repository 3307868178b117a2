-- Handlers that keep people waiting are in the log, with what they have waited for.

local host = require "spec.support.host"
local http_server = require "host.http_server"
local task = require "host.task"

describe("a slow handler", function()
  it("is in the log with what it has waited for, once in a while", function()
    local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req)
      task.sleep(0.15)
      req:respond(200, "", "x")
    end))
    local h = host.start {
      config = "return { slow_handler_seconds = 0.1, plugins = { lazy = { allow_private = true } } }",
      plugins = { lazy = {
        main = ([[
          local p = parley.plugin()
          p.on.command("lazy", function(c)
            c.kv:get "x"
            c.http:get("http://127.0.0.1:%d/")
            c:reply "done"
          end)
          return p]]):format(server:port()),
        manifest = { permissions = { "kv", "http:127.0.0.1:" .. server:port() } },
      } },
    }
    local lines, real = {}, h.core.turn.log
    h.core.turn.log = function(level, message, fields)
      if message == "a handler was slow" then lines[#lines + 1] = fields else real(level, message, fields) end
    end
    for _ = 1, 3 do assert.equal("done", h:say("d", "/lazy on").body.text) end
    assert.equal(1, #lines)
    local line = lines[1]
    assert.same({ "lazy", "text", 0, "d" }, { line.plugin, line.event, line.more_since, line.dialog_id })
    assert.matches("^http %d+%.%d%d s, kv%.get %d+%.%d%d s$", line.waited_for)
    assert.is_true(line.seconds >= 0.15 and line.own_seconds < line.seconds)
    h:stop()
    server:close()
  end)
end)
