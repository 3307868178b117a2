-- The language that a user is answered in: a menu, and the smallest plugin that has one.

local p = parley.plugin()

local LANGUAGES = { { "en", "English" }, { "ru", "Русский" }, { "uk", "Українська" } }

p.menu("language", function(c)
  local row = {}
  for i, language in ipairs(LANGUAGES) do
    local code, name = language[1], language[2]
    local chosen = c.locale:match "^%a+" == code
    row[i] = { text = (chosen and "✓ " or "") .. name, data = { language = code } }
  end
  return { text = c:t "title", rows = { row, { { text = c:t "close", close = true } } } }
end)

p.on.command("language", function(c) c:menu "language" end)
p.on.callback({ language = "enum(en,ru,uk)" }, function(c, data) c:set_locale(data.language) end)

return p
