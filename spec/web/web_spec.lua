-- The pages in a real browser (chat.mjs drives it), against a host as tools/run starts it.

local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"

local CASES = {
  "sends a message and shows the reply with its trace", "keeps the conversation over a reload, and starts over",
  "presses buttons", "keeps a menu where it is", "shows that an answer is on its way", "shows what comes by itself",
  "speaks the browser's language", "fits a phone", "asks for a token, and says when it is not accepted",
  "says in words what the server refuses", "shows the contract, and tries it",
  "has asked no other host, and nothing stands in the console", "says that the server is away, and keeps the message",
}

describe("the pages", function()
  local results, output = {}, nil
  setup(function()
    local h = serve.start()
    output = programs.run({
      "node", "spec/web/chat.mjs", "http://127.0.0.1:" .. h.port, h.token, tostring(h.pid),
    }, { stderr = "stdout", seconds = 120 }).out
    h:close()
    for line in output:gmatch "[^\n]+" do
      local r = json.decode(line)
      if type(r) == "table" and r.name then results[r.name] = r end
    end
  end)

  for _, name in ipairs(CASES) do
    it(name, function()
      local r = results[name]
      assert(r, "it did not run:\n" .. output)
      assert(r.error == json.null, tostring(r.error))
      results[name] = nil
    end)
  end

  it("have no case that is not counted here", function() assert.same({}, results) end)
end)
