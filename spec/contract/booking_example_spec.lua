-- One dialog, written as a conversation in Lua and as a REST plugin in Python: people cannot tell which they talk to.

local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local python = require "spec.support.python"
local webhook = require "parley.plugins.webhook"

local SECRET = webhook.new_secret()
local LUA, REST = "examples/booking/lua", "examples/booking/rest"

local function read(path) return assert(fs.read(path)) end

local KINDS = {
  lua = function()
    local files = {}
    for _, name in ipairs(fs.list(LUA .. "/locales")) do files["locales/" .. name] = read(LUA .. "/locales/" .. name) end
    return host.start { plugins = {
      booking = { manifest = json.decode(read(LUA .. "/manifest.json")), main = read(LUA .. "/main.lua"), files = files },
    } }
  end,
  rest = function()
    local server = python.start(REST .. "/plugin.py 0", { PARLEY_SIGNING_SECRET = SECRET })
    local manifest = json.decode(read(REST .. "/manifest.json"))
    manifest.endpoint = "http://127.0.0.1:" .. server.port
    return host.start {
      plugins = { booking = { manifest = manifest } },
      config = ("return { plugins = { booking = { signing_secret = %q, allow_private = true } } }"):format(SECRET),
    }, server
  end,
}

for kind, start in pairs(KINDS) do
  describe("the example of a booking, in " .. kind .. ",", function()
    local h, server
    setup(function() h, server = start() end)
    teardown(function()
      h:stop()
      if server then server:stop() end
    end)

    -- Says what stands on the left, and hears what stands on the right. "[x]" presses a button.
    local function talk(dialog, locale, lines)
      local last
      for i = 1, #lines, 2 do
        local said, heard = lines[i], lines[i + 1]
        local more, label = { user = { external_id = dialog, locale = locale } }, said:match "^%[(.*)%]$"
        if label then
          local found
          for _, row in ipairs(last.actions[#last.actions].buttons) do
            for _, b in ipairs(row) do found = b.text == label and b or found end
          end
          assert.is_table(found, said)
          more.type, more.payload, said = "callback", { data = found.data, plugin = found.plugin }, nil
        end
        last = h:say(dialog, said, more).body
        assert.equal(heard, last.text, tostring(said))
        assert.equal("booking", last.plugin.name)
      end
      return last
    end

    it("asks, says what is wrong, and books", function()
      talk("en", "en", {
        "/book", "For which day?", "tomorrow", "I need a date, like 24.12.2030.", "30.2.2031", "I need a date, like 24.12.2030.",
        "24.12.2030", "At what time?", "13:00", "There are tables at these times.", "[18:00]", "How many of you?",
        "ten", "A table has one to nine seats.", "10", "A table has one to nine seats.", "1", "In whose name?",
        ("x"):rep(61), "Sixty letters at most, please.", "Ann", "Ann, one guest, 2030-12-24 at 18:00. Right?",
        "perhaps", "Yes or no?", "[Yes]", "It is booked. That was booking number 1.",
        "/book", "For which day?", "2031-01-02", "At what time?", "3", "How many of you?", "4", "In whose name?",
        "Bob", "Bob, 4 guests, 2031-01-02 at 20:00. Right?", "YES", "It is booked. That was booking number 2.",
      })
      assert.same({ bookings = 2 }, h:request("GET", "/api/v1/dialogs/en").body.dialog.state.booking)
    end)

    it("speaks the user's language, with its plurals", function()
      talk("ru", "ru", {
        "/book", "На какой день?", "1.5.2031", "В какое время?", "12:00", "Сколько вас будет?", "3", "На чьё имя?",
        "Анна", "Анна, 3 гостя, 2031-05-01 в 12:00. Верно?", "ДА", "Забронировано. Это бронь номер 1.",
      })
      talk("uk", "uk", {
        "/book", "На який день?", "1.5.2031", "О котрій годині?", "1", "Скільки вас буде?", "5", "На чиє ім'я?",
        "Їжак", "Їжак, 5 гостей, 2031-05-01 о 12:00. Так?", "[Ні]", "Нічого не заброньовано.",
      })
    end)

    it("may be left, and begun anew, at any time", function()
      talk("left", "en", { "/book", "For which day?", "Cancel", "Nothing is booked." })
      assert.equal("fallback", h:say("left", "1.1.2031").body.status)
      talk("left-ru", "ru", { "/book", "На какой день?", "1.1.2031", "В какое время?", "Отмена", "Ничего не забронировано." })
      talk("left", "en", {
        "/book", "For which day?", "1.1.2031", "At what time?", "/book", "For which day?", "2.2.2031", "At what time?",
      })
    end)

    it("goes on after a restart of the host", function()
      talk("again", "en", { "/book", "For which day?", "1.1.2031", "At what time?" })
      h:stop()
      h = host.start { home = h.home }
      talk("again", "en", { "20:00", "How many of you?", "2", "In whose name?" })
    end)
  end)
end
