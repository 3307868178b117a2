-- The example examples/cart: checked, by its own specs, and as a person meets it in Telegram.

local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local programs = require "spec.support.process"
local sim = require "parley.sim.telegram"

local DIR = "examples/cart"

describe("the example cart", function()
  it("has nothing that the check complains of, and passes its own specs", function()
    local checked = programs.parley { "plugin", "check", DIR }
    assert.equal("1 plugin checked: 0 errors, 0 warnings\n", checked.err)
    local tested = programs.parley { "plugin", "test", DIR }
    assert.equal(0, tested.code, tested.out)
    assert.matches("4 successes / 0 failures", tested.out)
    assert.equal("", tested.err)
  end)

  it("sells tea in Telegram, in one message", function()
    local s = assert(sim.start())
    local bot = s.world:add_bot { username = "tea_bot" }
    local ann = s.world:add_user { first_name = "Ann", language_code = "ru" }
    s:act("limits", { limits = false })
    local home = host.temp_dir()
    assert(fs.mkdir(home .. "/plugins"))
    programs.run { "cp", "-r", DIR, home .. "/plugins/cart" }
    assert(fs.mkdir(home .. "/conf"))
    assert(fs.write(home .. "/conf/parley.lua",
      ("return { telegram = { token = %q, api = %q } }"):format(bot.token, s:url())))
    local h = host.start { home = home }

    local function messages()
      local out = {}
      for _, m in ipairs(s:view("messages", { bot = "tea_bot", chat = tostring(ann.id) }).messages) do
        if m.from == bot.user then out[#out + 1] = m end
      end
      return out
    end
    local function said(text)
      eventually(text, function()
        local list = messages()
        return #list > 0 and list[#list].text == text
      end)
    end
    local function write(text) s:act("send", { bot = "tea_bot", user = ann.id, text = text }) end
    local function press(label)
      local list = messages()
      assert(s:act("press", { bot = "tea_bot", user = ann.id, message_id = list[#list].message_id, button = label }))
    end

    write "/shop"
    said "Какой чай вы хотите?"
    press "Травяной чай"
    said "Травяной чай\n5 € за пачку\n0 пачек"
    for _, packs in ipairs { "1 пачка", "2 пачки" } do
      press "+"
      said("Травяной чай\n5 € за пачку\n" .. packs)
    end
    write "Корзина" -- of the keyboard
    said "Корзина\n2 × Травяной чай\nВсего 10 €"
    eventually("the menu is one", function() return #messages() == 2 end) -- and the keyboard's message
    press "Заказать"
    said "Куда отправить?"
    write "Киев"
    said "2 пачки на 10 € едут по адресу: Киев"
    eventually("the menu is gone", function() return #messages() == 3 end)
    assert.same({ "Добро пожаловать в чайную лавку!", "Куда отправить?" }, { messages()[1].text, messages()[2].text })
    assert.equal(0, h.core.db:first("SELECT count(*) AS n FROM dead_letters").n)
    h:stop()
    s:close()
  end)
end)
