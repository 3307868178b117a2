-- What users type stands beside the formatting of an answer, and never changes it.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local sim = require "parley.sim.telegram"
local utf16 = require "parley.util.utf16"

local MAIN = [[
local p = parley.plugin()
p.on.any(function(c, text)
  c:reply(parley.text():add('Hi '):bold(text):add('!'))
end)
return p
]]

local PARTS = {
  "<b>", "</b>", "*", "**", "_", "`", "```", "[a](https://x.y)", "&amp;", "&", "😀", "👩‍🚀", "e\204\129", "🇺🇦", "\\", "|", "~~",
  ">", "\n", " ", "слово", "a", "tg://user?id=1", "\226\128\174", "{name}", "%s", "\"", "'", "--", "\t",
}

describe("user input in an answer", function()
  it("is shown as it was typed, in the formatting of the plugin", function()
    local s = assert(sim.start { limits = false })
    local bot, ann = s.world:add_bot { username = "shop_bot" }, s.world:add_user {}
    local h = host.start {
      plugins = { talk = { main = MAIN, manifest = { patterns = { "." } } } },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk' }")
        :format(bot.token, s:url()),
    }
    finally(function()
      h:stop()
      s:close()
    end)
    math.randomseed(17)
    local typed = {}
    for i = 1, 60 do
      local parts = {}
      for k = 1, math.random(i == 60 and 900 or 12) do parts[k] = PARTS[math.random(#PARTS)] end
      typed[i] = "x" .. table.concat(parts) .. "x"
      assert(s:act("send", { bot = "shop_bot", user = ann.id, text = typed[i] }))
    end
    local said
    eventually("all answers", function()
      said = {}
      for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
        if m.from == bot.user then said[#said + 1] = m end
      end
      return #said >= 60
    end)
    for i = 1, 59 do
      assert.equal("Hi " .. typed[i] .. "!", said[i].text)
      assert.equal(1, #said[i].entities)
      assert.equal(typed[i], utf16.part(said[i].text, said[i].entities[1].offset, said[i].entities[1].length))
    end
    assert.is_nil(s.counts["sendMessage 400"])
  end)
end)
