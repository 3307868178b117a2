local fs = require "host.fs"
local host = require "spec.support.host"

local MAIN = [[
local p = parley.plugin()
p.on.command("count", function(c, n) c:reply(c:t("n", { n = tonumber(n) })) end)
p.on.command("only_uk", function(c, n) c:reply(c:t("u", { n = tonumber(n) })) end)
p.on.command("only_en", function(c, n) c:reply(c:t("e", { n = tonumber(n) })) end)
return p
]]

describe("plural forms", function()
  local h
  setup(function()
    local home = host.temp_dir()
    local dir = home .. "/plugins/counter"
    assert(fs.mkdir(dir .. "/locales"))
    assert(fs.write(dir .. "/manifest.json", [[{ "schema": "v1alpha", "name": "counter", "version": "1.0.0", "api": "1",
      "transport": "lua", "commands": [{ "name": "count" }, { "name": "only_en" }, { "name": "only_uk" }] }]]))
    assert(fs.write(dir .. "/main.lua", MAIN))
    assert(fs.write(dir .. "/locales/en.json", '{ "n": { "one": "{n} day", "other": "{n} days" }, '
      .. '"e": { "one": "{n} hour", "other": "{n} hours" } }'))
    assert(fs.write(dir .. "/locales/pl.json", '{}'))
    for name, forms in pairs { ru = { "день", "дня", "дней" }, uk = { "день", "дні", "днів" } } do
      assert(fs.write(dir .. "/locales/" .. name .. ".json",
        ('{ "n": { "one": "{n} %s", "few": "{n} %s", "many": "{n} %s" }%s }'):format(forms[1], forms[2], forms[3],
          name == "uk" and ', "u": { "one": "{n} година", "few": "{n} години", "many": "{n} годин" }' or "")))
    end
    h = host.start { home = home }
  end)
  teardown(function() h:stop() end)

  for locale, cases in pairs {
    en = { [0] = "0 days", [1] = "1 day", [2] = "2 days", [21] = "21 days" },
    ru = { [0] = "0 дней", [1] = "1 день", [2] = "2 дня", [5] = "5 дней", [11] = "11 дней", [14] = "14 дней", [21] = "21 день",
      [24] = "24 дня", [111] = "111 дней" },
    ["uk-UA"] = { [1] = "1 день", [3] = "3 дні", [12] = "12 днів", [101] = "101 день" },
  } do
    it("follow the language: " .. locale, function()
      for n, text in pairs(cases) do
        assert.equal(text, h:say("d-" .. locale, "/count " .. n, { locale = locale }).body.text)
      end
    end)
  end

  it("are those of whichever language has the text, when English has none", function()
    for n, text in pairs { [1] = "1 година", [3] = "3 години", [5] = "5 годин" } do
      for _, locale in ipairs { "en", "ru", "de" } do
        assert.equal(text, h:say("any-" .. locale, "/only_uk " .. n, { locale = locale }).body.text)
      end
    end
  end)

  it("follow the language of the text, not the user's, when the text is the English one", function()
    for n, text in pairs { [1] = "1 hour", [2] = "2 hours", [21] = "21 hours" } do
      assert.equal(text, h:say("fallback", "/only_en " .. n, { locale = "ru" }).body.text)
    end
  end)
end)
