local locales = require "parley.plugins.locales"

describe("the texts of a plugin", function()
  local function missing(all)
    local out = {}
    locales.missing(all, function(locale, message) out[#out + 1] = locale .. ": " .. message end)
    return out
  end

  it("are strings and plural forms", function()
    assert.same({ a = "b", n = { one = "1", other = "2" } }, locales.read '{ "a": "b", "n": { "one": "1", "other": "2" } }')
    assert.same({}, locales.read "{}")
  end)

  for source, expected in pairs {
    ["[]"] = "1 an object of texts by key expected",
    ["null"] = "1 an object of texts by key expected",
    ['"a"'] = "1 an object of texts by key expected",
    ['{ "a": "b",\n  "c" }'] = "2 line 2, column 7: ':' was expected",
    ['{ "a": "b",\n  "c": 5 }'] = "2 c: a text, or an object of its plural forms expected",
    ['{ "a": "b",\n  "c": null }'] = "2 c: a text, or an object of its plural forms expected",
    ['{\n\n "a.b": ["x"] }'] = "3 a.b: a text, or an object of its plural forms expected",
    ['{ "n": {} }'] = "1 n: plural forms expected, there is none",
    ['{ "n": {\n "one": "1",\n "title": "x" } }'] = "3 n.title: no plural form; zero, one, two, few, many or other expected",
    ['{ "n": {\n "one": 1 } }'] = "2 n.one: a text expected",
  } do
    it("are refused with line and key: " .. source, function()
      local value, message, line = locales.read(source)
      assert.is_nil(value)
      assert.equal(expected, line .. " " .. message)
    end)
  end

  it("are missing where another language has them", function()
    assert.same({
      "ru: 'b' is missing; en.json has it", "uk: 'a' is missing; en.json has it", "uk: 'b' is missing; en.json has it",
    }, missing { en = { a = "1", b = "2" }, ru = { a = "1" }, uk = {} })
    assert.same({ "en: 'a' is missing; ru.json has it" }, missing { en = {}, ru = { a = "1" } })
    assert.same({}, missing { en = { a = "1" } })
    assert.same({}, missing {})
  end)

  it("need the plural forms of their language", function()
    assert.same({
      "en: 'n' has no plural form 'other'", "ru-RU: 'n' has no plural form 'few'", "ru-RU: 'n' has no plural form 'many'",
    }, missing {
      en = { n = { one = "1" } }, ["ru-RU"] = { n = { one = "1", other = "1" } },
      uk = { n = { one = "1", few = "2", many = "5" } }, ja = { n = { other = "1" } },
    })
  end)
end)
