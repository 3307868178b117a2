local mock = require "parley.nlu.mock"
local text = require "parley.nlu.text"
local distance = require "parley.util.edit_distance"
local suggest = require "parley.util.suggest"

describe("text folding", function()
  for from, to in pairs {
    ["Hello,  World!"] = "hello world",
    ["ПРИВЕТ, Ёлка"] = "привет елка",
    ["ЇЖАК Ґанок Єва ІНШИЙ"] = "їжак ґанок єва інший",
    ["п'ять п’ять пʼять"] = "пять пять пять",
    ["Don't don’t"] = "dont dont",
    ["Straße CAFÉ naïve Łódź"] = "strasse cafe naive lodz",
    ["cafe\204\129"] = "cafe",
    ["\208\184\204\134 \209\150\204\136"] = "й ї", -- decomposed letters that are letters of their own
    ["е\204\136"] = "е",
    ["ΚΑΛΗΜΈΡΑ φίλος"] = "καλημερα φιλοσ",
    ["ｈｅｌｌｏ！"] = "hello",
    ["你好，世界。"] = "你好 世界",
    ["ok👍🏽done"] = "ok 👍 done",
    ["zero\226\128\139width"] = "zerowidth",
    ["«quoted» — dash…"] = "quoted dash",
    ["  \t\n "] = "",
    ["a\255b"] = "a b",
  } do
    it("folds " .. from, function() assert.equal(to, text.normalise(from)) end)
  end

  it("is stable: what has been folded stays", function()
    for _, s in ipairs { "Ёж ПІШОВ", "Ǆ ﬁ ÅÄÖ", "ΆΈΉ", "ЉЊЋ Ѵ", "İstanbul ışık", "ﷺ ℃ ①" } do
      local once = text.normalise(s)
      assert.equal(once, text.normalise(once))
    end
  end)

  it("splits into words, and unspaced writing into characters and pairs", function()
    assert.same({ "book", "a", "table" }, text.tokens "Book a table!")
    assert.same({ "订", "订桌", "桌" }, text.tokens "订桌")
    assert.same({ "ok", "好", "x", "1" }, text.tokens "ok好x 1")
    assert.same({}, text.tokens " .,! ")
    assert.is_true(#text.tokens(("слово "):rep(1000), 10) <= 11)
  end)
end)

describe("edit distance", function()
  local function d(a, b, limit)
    return distance({ a:byte(1, -1) }, #a, { b:byte(1, -1) }, #b, limit or 9)
  end
  it("counts single mistakes, and a swap as one", function()
    assert.equal(0, d("table", "table"))
    assert.equal(1, d("table", "tabel"))
    assert.equal(1, d("book", "bok"))
    assert.equal(3, d("kitten", "sitting"))
    assert.equal(5, d("", "abcde"))
    assert.equal(5, d("abcde", ""))
    assert.is_nil(d("kitten", "sitting", 2))
    assert.is_nil(d("a", "abcd", 2))
  end)

  it("agrees with the definition", function()
    local function slow(a, b)
      local t = {}
      for i = 0, #a do
        t[i] = { [0] = i }
        for j = 1, #b do
          if i == 0 then t[0][j] = j else
            local same = a:byte(i) == b:byte(j)
            t[i][j] = math.min(t[i - 1][j] + 1, t[i][j - 1] + 1, t[i - 1][j - 1] + (same and 0 or 1))
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
              t[i][j] = math.min(t[i][j], t[i - 2][j - 2] + 1)
            end
          end
        end
      end
      return t[#a][#b] or #a
    end
    math.randomseed(7)
    local function word()
      local s = {}
      for i = 1, math.random(0, 7) do s[i] = string.char(96 + math.random(3)) end
      return table.concat(s)
    end
    for _ = 1, 2000 do
      local a, b, limit = word(), word(), math.random(0, 4)
      local want = #b == 0 and #a or slow(a, b)
      assert.equal(want <= limit and want or nil, d(a, b, limit), a .. " " .. b)
    end
  end)

  it("suggests the name that was meant, and none when nothing is close", function()
    local keys = { "timeout_ms", "memory_mb", "cpu_ms", "http" }
    assert.equal("timeout_ms", suggest.nearest("timout_ms", keys))
    assert.equal("timeout_ms", suggest.nearest("timeout-ms", keys))
    assert.equal("memory_mb", suggest.nearest("memroy_mb", { memory_mb = 1, cpu_ms = 2 }))
    assert.is_nil(suggest.nearest("banana", keys))
    assert.equal(" Did you mean 'http'?", suggest.hint("htpp", keys))
    assert.equal("", suggest.hint("zzzzzz", keys))
  end)
end)

local catalogue = {
  { name = "greet", examples = { "hi", "hello", "good morning", "привет", "здравствуйте", "привіт", "добрий день", "你好" } },
  { name = "book.create", examples = {
    "book a table", "I want to reserve a table for two", "забронировать столик", "хочу заказать столик на вечер",
    "забронювати столик", "我想预订一张桌子",
  } },
  { name = "order.status", examples = {
    "where is my order", "track my parcel", "где мой заказ", "когда приедет посылка", "де моє замовлення", "我的订单在哪里",
  } },
  { name = "weather", examples = {
    "what is the weather", "will it rain tomorrow", "какая погода сегодня", "яка сьогодні погода", "今天天气怎么样",
  } },
  { name = "cancel", examples = { "cancel my booking", "отменить бронь", "скасувати бронювання", "取消预订" } },
}

describe("the offline classifier", function()
  local index = mock.build(catalogue)

  it("is sure of every example", function()
    for _, intent in ipairs(catalogue) do
      for _, phrase in ipairs(intent.examples) do
        for _, form in ipairs { phrase, phrase .. "!", phrase:upper() } do
          local r = mock.classify(index, form)
          assert.equal(intent.name, r.name, form)
          assert.is_true(r.confidence >= 0.95, form .. " " .. r.confidence)
          assert.equal("mock", r.source)
        end
      end
    end
  end)

  for phrase, intent in pairs {
    ["I would like to reserve a table"] = "book.create",
    ["please book me a table"] = "book.create",
    ["book a tabel"] = "book.create",
    ["забронируй столик"] = "book.create",
    ["столик забронировать на завтра"] = "book.create",
    ["забронюйте столика"] = "book.create",
    ["де замовлення?"] = "order.status",
    ["де моє замовленя"] = "order.status",
    ["订单在哪里"] = "order.status",
    ["приветики"] = "greet",
    ["cancel the booking please"] = "cancel",
  } do
    it("understands: " .. phrase, function()
      local r = mock.classify(index, phrase)
      assert.equal(intent, r.name)
      assert.is_true(r.confidence >= 0.6 and r.confidence < 0.98, tostring(r.confidence))
    end)
  end

  for _, phrase in ipairs {
    "what is the capital of france", "tell me a joke", "расскажи анекдот", "сколько стоит доллар",
    "my hovercraft is full of eels",
    "where is the station",
    "квантовая физика", "量子物理学", "", "!!!", "2+2", "👍", "розкажи анекдот", "\255\254",
  } do
    it("does not take for an intent: " .. phrase, function()
      assert.is_true(mock.classify(index, phrase).confidence < 0.3)
    end)
  end

  it("names the alternatives, best first", function()
    local r = mock.classify(index, "cancel my order")
    assert.equal("order.status", r.name)
    assert.equal("cancel", r.alternatives[1].name)
    assert.is_true(r.alternatives[1].confidence <= r.confidence)
  end)

  it("gives the same answer every time, whatever was asked between", function()
    local first = mock.classify(index, "забронируй стол")
    for _ = 1, 50 do
      mock.classify(index, "where is the tabel I ordered")
      assert.same(first, mock.classify(index, "забронируй стол"))
    end
    assert.same(first, mock.classify(mock.build(catalogue), "забронируй стол"))
  end)

  it("leaves out intents that do not understand the user's language", function()
    local ix = mock.build {
      { name = "en", examples = { "taxi" }, locales = { "en" } }, { name = "uk", examples = { "taxi" }, locales = { "uk-UA" } },
    }
    assert.equal("uk", mock.classify(ix, "taxi", { locale = "uk" }).name)
    assert.equal("en", mock.classify(ix, "taxi", { locale = "en-GB" }).name)
    assert.equal("en", mock.classify(ix, "taxi").name)
  end)

  it("takes an empty catalogue, intents without examples, and long messages", function()
    assert.is_nil(mock.classify(mock.build {}, "hello").name)
    assert.is_nil(mock.classify(mock.build { { name = "x", examples = {} } }, "hello").name)
    assert.is_true(mock.classify(index, ("забронировать столик "):rep(700)).confidence <= 1)
    assert.is_true(mock.classify(index, ("x"):rep(16384)).confidence < 0.3)
  end)
end)
