-- Answers as language models write them, and what a person sees of them.

local entities = require "parley.channels.telegram.entities"
local markdown = require "parley.channels.telegram.markdown"
local split = require "parley.channels.telegram.split"
local utf16 = require "parley.util.utf16"

-- Each entity as kind:what it covers.
local function said(text, list)
  local out = {}
  for i, e in ipairs(list) do
    local more = e.url or e.language
    out[i] = ("%s:%s%s"):format(e.type, assert(utf16.part(text, e.offset, e.length)), more and "@" .. more or "")
  end
  return text, table.concat(out, "; ")
end

local CORPUS = {
  {
    "an answer with steps", [[
## How to make **tea**

1. Boil *fresh* water.
2. Warm the `pot`:
   - pour, then
   - empty it
3. Wait **5–7 minutes**.

> Milk is *your* affair.
> So is sugar.

See [the recipe](https://tea.example/how_to_make(1)) or <https://tea.example/a_b_c>.]],
    [[
How to make tea

1. Boil fresh water.
2. Warm the pot:
   • pour, then
   • empty it
3. Wait 5–7 minutes.

Milk is your affair.
So is sugar.

See the recipe or https://tea.example/a_b_c.]],
    "bold:How to make tea; italic:fresh; code:pot; bold:5–7 minutes; "
      .. "blockquote:Milk is your affair.\nSo is sugar.; italic:your; "
      .. "text_link:the recipe@https://tea.example/how_to_make(1)",
  },
  {
    "code with its language, also in a list and in a quote", [[
- so:
  ```python
  def f(x):
      return x ** 2  # *not* italic
  ```
> ~~~
> > raw
> ~~~
````md
```
inner
```
````]],
    "• so:\ndef f(x):\n    return x ** 2  # *not* italic\n> raw\n```\ninner\n```",
    "pre:def f(x):\n    return x ** 2  # *not* italic@python; blockquote:> raw; pre:> raw; pre:```\ninner\n```@md",
  },
  {
    "a table", [[
| Name | Price, € | Note |
|:-----|---------:|:----:|
| **Чай** | 2.50 | a \| b |
| Coffee | 13 |
after]],
    "Name   | Price, € | Note\n-------+----------+------\nЧай    |     2.50 | a | b\nCoffee |       13\nafter",
    "pre:Name   | Price, € | Note\n-------+----------+------\nЧай    |     2.50 | a | b\nCoffee |       13",
  },
  {
    "nested emphasis", "**a *b* c** ***d** e* *f **g*** ~~h **i**~~ ||j||", "a b c d e f g h i j",
    "bold:a b c; italic:b; italic:d e; bold:d; italic:f g; bold:g; strikethrough:h i; bold:i; spoiler:j",
  },
  {
    "marks that are none", "2*3*4, 2**3**4, a * b, x_y_z, 5 ~ 6 ~~, a || b || c, **open, [no](javascript:x) ![",
    "2*3*4, 2**3**4, a * b, x_y_z, 5 ~ 6 ~~, a || b || c, **open, [no](javascript:x) ![", "",
  },
  {
    "code in what is bold", "**the `x` value** and [`y`](https://y.example)", "the x value and y",
    "bold:the ; code:x; bold: value; code:y",
  },
  {
    "links",
    '**[a *b*](https://a.example "A title")** ![pic](https://p.example/1.png) [w](www.w.example) [n]() [e](mailto:a@b.c)',
    "a b pic w [n]() [e](mailto:a@b.c)",
    "text_link:a b@https://a.example; bold:a b; italic:b; text_link:pic@https://p.example/1.png; "
      .. "text_link:w@https://www.w.example",
  },
  { "marks across a link", "*a [b* c](https://x.example)", "*a b* c", "text_link:b* c@https://x.example" },
  {
    "addresses", "**https://x.example/a_b*c** and https://y.example/_d_, _e_",
    "https://x.example/a_b*c and https://y.example/_d_, e",
    "bold:https://x.example/a_b*c; italic:e",
  },
  {
    "tasks, rules and quotes in quotes", "- [ ] one\n- [x] two\n* * *\n---\n> a\n>> b", "☐ one\n☑ two\n* * *\n---\na\n> b",
    "blockquote:a\n> b",
  },
  {
    "words beside marks", "**«Привет»**слово __да__ до*бро* ``a ` b`` \\*no\\* C:\\dir",
    "«Привет»слово да до*бро* a ` b *no* C:\\dir",
    "bold:«Привет»; bold:да; code:a ` b",
  },
  { "line breaks of HTML", "one<br>two<br/>three <br >\n<b>", "one\ntwo\nthree \n\n<b>", "" },
  { "a table with line breaks", "|a|b|\n|-|-|\n|1<br>2|3|", "a   | b\n----+--\n1 2 | 3", "pre:a   | b\n----+--\n1 2 | 3" },
  { "an end that never came", "Look:\n```lua\nx = 1\n", "Look:\n```lua\nx = 1\n", "" },
  { "emphasis over two lines", "**one\ntwo**\n\n**three\n\nfour**", "one\ntwo\n\n**three\n\nfour**", "bold:one\ntwo" },
}

local MARKS = {
  "*", "**", "***", "_", "__", "~~", "||", "|", "`", "``", "```", "```#", "~~~", "[", "]", "](https://x.y)", "\n", "\n\n", "\n> ",
  "\n# ", "\n- ", "\n- [x] ", "\n| ", "\n|--|--|\n", "\n1. ", " ", "  ", "\\", "(", ")", "<", ">", "!", "https://u.v/",
}
local WORDS = { "a", "Bc", "7", "слово", "😀", "є", "👩‍🚀", "12.5" }

-- Letters, digits and emoji, without what stands in addresses.
local function visible(text)
  for _, made in ipairs { "https?://u%.v/", "%]%(https://x%.y%)", "https://x%.y", "•", "☐", "☑" } do
    text = text:gsub(made, "")
  end
  return (text:gsub("[%s%p]", ""))
end

describe("an answer of a language model:", function()
  for _, case in ipairs(CORPUS) do
    it(case[1], function()
      assert.same({ case[3], case[4] }, { said(markdown.parse(case[2])) })
    end)
  end

  it("keeps every word, and makes only entities that can be sent", function()
    math.randomseed(11)
    for round = 1, 4000 do
      local parts = {}
      for i = 1, math.random(24) do
        local from = math.random() < 0.55 and MARKS or WORDS
        parts[i] = from[math.random(#from)]
      end
      local source = table.concat(parts)
      local text, list = markdown.parse(source)
      -- "[x]" is a mark of its own kind, and its letter no word.
      if not source:find "%[x%]" then assert.equal(visible(source), visible(text), ("round %d: %q"):format(round, source)) end
      assert.same(list, entities.clean(text, list))
      for _, e in ipairs(list) do
        local part = utf16.part(text, e.offset, e.length)
        assert(part and part ~= "", source)
      end
    end
  end)

  it("is read whole, however many marks have no other one", function()
    -- Each of these takes minutes of a reader that looks for the other end of each mark.
    for _, unit in ipairs {
      "*a ", "**a *b ", "_a __b ", "[", "[a](", "`", "a`b``", "```\n", "```a\n~~~b\n", "> ", "\\", "||a", "~~a", "![a](b ", "(",
      "|a|b|\n|--|--|\n", "<https://", "https://a", "# ", "- ",
    } do
      local source = unit:rep(math.floor(16384 / #unit))
      local text = markdown.parse(source)
      assert.equal(select(2, source:gsub("a", "")), select(2, text:gsub("a", "")))
    end
  end)
end)

describe("entities", function()
  local function clean(text, list) return select(2, said(text, entities.clean(text, list))) end

  it("are those that there are, with what they need, inside the text", function()
    assert.equal("bold:bc; custom_emoji:c", clean("abc", {
      { type = "bold", offset = 1, length = 99 }, { type = "glow", offset = 0, length = 1 }, "x", { type = "bold" },
      { type = "text_link", offset = 0, length = 1 }, { type = "text_link", offset = 0, length = 1, url = "" },
      { type = "custom_emoji", offset = 2, length = 1, custom_emoji_id = "5" }, { type = "italic", offset = 0.5, length = 1 },
      { type = "italic", offset = -3, length = 2 }, { type = "italic", offset = 3, length = 1 },
    }))
    assert.same({ { type = "pre", offset = 0, length = 1, language = "c" } },
      entities.clean("a", { { type = "pre", offset = 0, length = 1, language = "c", url = 5, secret = "no" } }))
    assert.same({}, entities.clean("a", "none"))
  end)

  it("have whole characters", function()
    assert.equal("bold:b", clean("😀b😀", { { type = "bold", offset = 1, length = 3 } }))
    assert.equal("", clean("😀", { { type = "bold", offset = 1, length = 1 } }))
  end)

  it("are inside one another, or beside one another", function()
    assert.equal("bold:abc; italic:bc; italic:de", clean("abcde", {
      { type = "bold", offset = 0, length = 3 }, { type = "italic", offset = 1, length = 4 },
    }))
    assert.equal("bold:ab; code:c; bold:de", clean("abcde", {
      { type = "code", offset = 2, length = 1 }, { type = "bold", offset = 0, length = 5 },
    }))
    assert.equal("blockquote:abcd; bold:ab; bold:d", clean("abcd", {
      { type = "blockquote", offset = 0, length = 4 }, { type = "expandable_blockquote", offset = 1, length = 2 },
      { type = "bold", offset = 0, length = 2 }, { type = "bold", offset = 0, length = 1 },
      { type = "bold", offset = 3, length = 1 },
    }))
  end)

  it("can be sent whatever they were", function()
    math.randomseed(5)
    local kinds = { "bold", "italic", "code", "pre", "blockquote", "expandable_blockquote", "spoiler", "mention", "text_link" }
    for _ = 1, 3000 do
      local words, list = {}, {}
      for i = 1, math.random(8) do words[i] = WORDS[math.random(#WORDS)] end
      local text = table.concat(words)
      for i = 1, math.random(10) do
        list[i] = { type = kinds[math.random(#kinds)], offset = math.random(-2, 20), length = math.random(-2, 20), url = "u" }
      end
      local out = entities.clean(text, list)
      assert.same(out, entities.clean(text, out))
      for i, e in ipairs(out) do
        assert(utf16.part(text, e.offset, e.length) ~= nil)
        for k = 1, i - 1 do
          local o = out[k]
          local beside = e.offset >= o.offset + o.length
          local inside = e.offset >= o.offset and e.offset + e.length <= o.offset + o.length
          assert(beside or inside and o.type ~= "code" and o.type ~= "pre")
        end
      end
    end
  end)
end)

describe("a text in pieces", function()
  local function bare(text) return (text:gsub("%s", "")) end

  it("has all of the text, each of its entities, and whole characters", function()
    math.randomseed(3)
    local units = { "a", "слово", " ", " ", "\n", "\n\n", ". ", "😀", "👩‍🚀", "🇺🇦", "e\204\129", "👍🏽", "1️⃣" }
    for _ = 1, 1500 do
      local words = {}
      for i = 1, math.random(60) do words[i] = units[math.random(#units)] end
      local text, list = table.concat(words), {}
      local all = utf16.length(text)
      for i = 1, 3 do
        local from = math.random(0, all)
        list[i] = { type = ({ "bold", "pre", "spoiler" })[i], offset = from, length = math.random(0, all - from) }
      end
      list = entities.clean(text, list)
      local max, joined, covered, wanted = math.random(10, 40), {}, {}, {}
      for _, e in ipairs(list) do wanted[e.type] = (wanted[e.type] or "") .. bare(utf16.part(text, e.offset, e.length)) end
      for i, piece in ipairs(split.pieces(text, list, max)) do
        assert(utf16.length(piece.text) <= max and piece.text:find "%S")
        assert.same(piece.entities, entities.clean(piece.text, piece.entities))
        -- A piece never begins with what belongs to the character before it.
        for _, mark in ipairs { "\226\128\141", "\204\129", "🏽", "\239\184\143" } do
          assert.are_not.equal(1, (piece.text:find(mark, 1, true)))
        end
        joined[i] = bare(piece.text)
        for _, e in ipairs(piece.entities) do
          covered[e.type] = (covered[e.type] or "") .. bare(utf16.part(piece.text, e.offset, e.length))
        end
      end
      assert.equal(bare(text), table.concat(joined))
      for kind, part in pairs(wanted) do assert.equal(part, covered[kind] or "") end
    end
  end)

  it("has its code whole where it can, with its indents and its language where it cannot", function()
    local code = "def f(x):\n    return x\n\n    # end"
    local text = "Some more words stand before it.\n" .. code .. "\nand after"
    local list = { { type = "pre", offset = 33, length = #code, language = "python" } }
    local pieces = split.pieces(text, list, 50)
    assert.same({ "Some more words stand before it.", code .. "\nand after" }, { pieces[1].text, pieces[2].text })
    pieces = split.pieces(text, list, 26)
    local out = {}
    for i, p in ipairs(pieces) do
      out[i] = p.text .. "|" .. (p.entities[1] and p.entities[1].language or "")
    end
    assert.same({ "Some more words stand|",
      "before it.\ndef f(x):|python", "    return x\n\n    # end|python", "and after|" }, out)
  end)

  it("has no more entities than a message may have", function()
    local list = {}
    for i = 1, 250 do list[i] = { type = "code", offset = (i - 1) * 4, length = 3 } end
    local pieces = split.pieces(("abc "):rep(250), list, 4096)
    local n = 0
    for _, p in ipairs(pieces) do
      assert(#p.entities <= 100)
      n = n + #p.entities
    end
    assert.same({ 3, 250 }, { #pieces, n })
    assert.equal(("abc "):rep(100):sub(1, -2), pieces[1].text)
  end)

  it("is cut between flags, not in them", function()
    local pieces = split.pieces(("🇺🇦"):rep(5), {}, 10)
    assert.same({ ("🇺🇦"):rep(2), ("🇺🇦"):rep(2), "🇺🇦" }, { pieces[1].text, pieces[2].text, pieces[3].text })
  end)
end)
