-- Texts on their way to Telegram: Markdown to entities, long ones in pieces, the data of buttons.

local callback = require "parley.channels.telegram.callback"
local markdown = require "parley.channels.telegram.markdown"
local split = require "parley.channels.telegram.split"
local utf16 = require "parley.util.utf16"

-- Each entity as kind:what it covers.
local function said(text, entities)
  local out = {}
  for i, e in ipairs(entities) do
    out[i] = ("%s:%s%s"):format(e.type, assert(utf16.part(text, e.offset, e.length)), e.url and "@" .. e.url or "")
  end
  return text, table.concat(out, "; ")
end

describe("Markdown of a language model", function()
  for source, expected in pairs {
    ["plain & <b>text</b>"] = { "plain & <b>text</b>", "" },
    ["**b** __b__ *i* _i_ ~~s~~ ||p|| `c*d*`"] = {
      "b b i i s p c*d*", "bold:b; bold:b; italic:i; italic:i; strikethrough:s; spoiler:p; code:c*d*",
    },
    ["***both*** **a *b* c**"] = { "both a b c", "bold:both; italic:both; bold:a b c; italic:b" },
    ["snake_case_name 2*3*4 a * b * c ** d **"] = { "snake_case_name 2*3*4 a * b * c ** d **", "" },
    ["open **never closed"] = { "open **never closed", "" },
    ["\\*no\\* \\[x](y)"] = { "*no* [x](y)", "" },
    ["[a](https://x.org/q_(b)) [no](javascript) [t](tg://user?id=1)"] = {
      "a [no](javascript) t", "text_link:a@https://x.org/q_(b); text_link:t@tg://user?id=1",
    },
    ["# Head\n- one\n* two\n---"] = { "Head\n• one\n• two\n---", "bold:Head" },
    ["> said **so**\n> twice\nend"] = { "said so\ntwice\nend", "blockquote:said so\ntwice; bold:so" },
    ["```lua\nx = '*'\n```\nafter"] = { "x = '*'\nafter", "pre:x = '*'" },
    ["```\nnever closed"] = { "```\nnever closed", "" },
    ["😀 **є😀**"] = { "😀 є😀", "bold:є😀" },
    ["****"] = { "****", "" }, [""] = { "", "" },
  } do
    it("says '" .. source:gsub("\n", "/") .. "'", function()
      assert.same(expected, { said(markdown.parse(source)) })
    end)
  end

  it("never makes an entity that Telegram refuses, whatever it is", function()
    math.randomseed(7)
    local marks = {
      "*", "**", "_", "__", "~~", "||", "`", "```", "[", "](https://x.y)", "\n", "> ", "# ", "- ", "a", " ", "😀", "\\",
    }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, math.random(12) do parts[i] = marks[math.random(#marks)] end
      local source = table.concat(parts)
      local text, entities = markdown.parse(source)
      for _, e in ipairs(entities) do
        local part = utf16.part(text, e.offset, e.length)
        assert(part and part ~= "", source)
      end
    end
  end)
end)

describe("a long text", function()
  it("is cut at paragraphs, lines, sentences or words, with its entities", function()
    local function pieces(text, max, entities)
      local out = {}
      for i, p in ipairs(split.pieces(text, entities, max)) do out[i] = p.text end
      return out
    end
    assert.same({ "one two", "three" }, pieces("one two\n\nthree", 10))
    assert.same({ "It is so.", "It is not." }, pieces("It is so. It is not.", 17))
    assert.same({ "It is so it is.", "It is not." }, pieces("It is so it is. It is not.", 20))
    assert.same({ ("x"):rep(10), ("x"):rep(5) }, pieces(("x"):rep(15), 10))
    assert.same({ "😀😀", "😀" }, pieces("😀😀😀", 5))
    assert.same({}, pieces("  \n ", 10))
    local list = split.pieces("aaa bbb ccc", { { type = "bold", offset = 1, length = 9, url = "u" } }, 7)
    assert.same({ "aaa bbb", "ccc" }, { list[1].text, list[2].text })
    assert.same({ { type = "bold", offset = 1, length = 6, url = "u" } }, list[1].entities)
    assert.same({ { type = "bold", offset = 0, length = 2, url = "u" } }, list[2].entities)
  end)
end)

describe("the data of a button", function()
  it("comes back as it was, for the dialog it was made in only", function()
    local data = callback.pack("k", "tg:main:1", { plugin = "shop", data = { go = "tea" } })
    assert.same({ plugin = "shop", data = { go = "tea" } }, callback.unpack("k", "tg:main:1", data))
    assert.is_nil(callback.unpack("k", "tg:main:2", data))
    assert.is_nil(callback.unpack("other", "tg:main:1", data))
    for _, wrong in ipairs { "", "x", data .. "x", data:gsub("tea", "pot"), data:sub(1, 20) } do
      assert.is_nil(callback.unpack("k", "tg:main:1", wrong))
    end
    local long, kept = callback.pack("k", "tg:main:1", { plugin = "shop", data = { go = ("x"):rep(60) } })
    assert.is_true(#long <= 64)
    assert.same({ kept = kept.id }, callback.unpack("k", "tg:main:1", long))
  end)
end)
