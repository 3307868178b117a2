-- What a channel does at once, while the plugin still works.

local gate = require "parley.plugins.gate"

gate.register("typing", {
  run = function(invocation)
    local channel = invocation.channel
    return channel ~= nil and channel:show_typing(invocation.turn)
  end,
})
