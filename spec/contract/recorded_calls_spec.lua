-- What a call of a plugin leaves in plugin_calls beside its figures: by default, of one that has failed.

local host = require "spec.support.host"
local json = require "host.json"

local MAIN = [[
local p = parley.plugin()
p.on.command('fair', function(c) c:reply 'fine' end)
p.on.command('odd', function(c) c._actions[1] = { type = 'send', text = 'x', colour = 'red' } end)
p.on.command('long', function(c)
  c._actions[1] = { type = 'send', text = ('ж'):rep(9000), colour = 'red' }
end)
p.on.command('broken', function() error 'out of luck' end)
return p
]]

local function with(config, fn)
  local h = host.start {
    config = config,
    plugins = { picky = { main = MAIN, manifest = { commands = json.array {
      { name = "fair" }, { name = "odd" }, { name = "long" }, { name = "broken" },
    } } } },
  }
  local good, err = pcall(fn, h, function(text)
    h:say("d", text)
    local row = assert(h.core.db:first(
      "SELECT request, response FROM plugin_calls WHERE plugin_id = 'picky' ORDER BY started_at DESC, id DESC LIMIT 1"))
    return row.request and json.decode(row.request), row.response and json.decode(row.response)
  end)
  h:stop()
  if not good then error(err, 0) end
end

describe("a call of a plugin", function()
  it("that has failed leaves what was asked and answered", function()
    with("return {}", function(_, call)
      local request, response = call "/odd one out"
      assert.equal("/odd one out", request.event.message.text)
      assert.equal("d", request.dialog.id)
      assert.is_nil(request.config)
      assert.equal("red", response.actions[1].colour)
      request, response = call "/broken"
      assert.equal("/broken", request.event.message.text)
      assert.is_nil(response)
      request, response = call "/long"
      assert.equal("/long", request.event.message.text)
      assert.is_true(response.bytes > 18000)
      assert.matches("^%S+ж%.%.%.$", response.begins)
      assert.is_true(#response.begins < 8200)
      assert.same({}, { call "/fair" })
    end)
  end)

  it("leaves both when all are kept, and nothing when none is", function()
    with("return { record_calls = 'all' }", function(_, call)
      local request, response = call "/fair"
      assert.equal("/fair", request.event.message.text)
      assert.equal("fine", response.actions[1].text)
    end)
    with("return { record_calls = 'none' }", function(_, call) assert.same({}, { call "/odd" }) end)
  end)
end)
