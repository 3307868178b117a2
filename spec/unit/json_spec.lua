local json = require "host.json"

local function valid_documents()
  local docs = {}
  local function add(...) for i = 1, select("#", ...) do docs[#docs + 1] = (select(i, ...)) end end
  local scalars = {
    "0", "-0", "1", "-1", "10", "123456789012345", "9007199254740992", "-9007199254740992", "0.5", "-0.5",
    "1.0", "1e1", "1E1", "1e+1", "1e-1", "0e0", "0e+1", "1.5e10", "123.456e78", "0.1e-7", "1E22", "1e-400",
    "true", "false", "null", '""', '"a"', '" "', '"\\""', '"\\\\"', '"\\/"', '"/"', '"\\b\\f\\n\\r\\t"',
    '"\\u0041"', '"\\u00e9"', '"\\u0000"', '"\\uD83D\\uDE00"', '"\\u20ac"', '"\\uFFFF"', '"\\ud800\\udc00"',
    '"é"', '"привіт"', '"😀"', '"\127"', '"\226\128\168"', '"\239\187\191"', '"\\u2028"', '"a\\u0041b\\nc"',
    '"{}"', '"[1,2]"', '"null"', '"\\\\u0041"',
  }
  for _, s in ipairs(scalars) do
    add(s, "[" .. s .. "]", " \n\t\r" .. s .. " \n\t\r", '{"k":' .. s .. "}")
  end
  add("[]", "{}", "[[]]", "[{}]", '{"":0}', '{"a":{}}', "[1,2,3]", "[ 1 , 2 ]", '{ "a" : 1 , "b" : 2 }',
    "[[[[[[]]]]]]", '{"a":{"b":{"c":[]}}}', '{"\\u0061":1,"b":2}', "[null,1,\"1\",{}]", "[1\n]",
    ("["):rep(64) .. ("]"):rep(64))
  return docs
end

local function invalid_documents()
  local docs = {}
  local function add(...) for i = 1, select("#", ...) do docs[#docs + 1] = (select(i, ...)) end end
  local scalars = {
    "-", "+1", "01", "-01", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1E-", "0x1", "1_0", "Infinity",
    "-Infinity", "NaN", "nan", "1a", "--1", "- 1", "0e", "00", "1.2.3", "1e1.5", "１", "1e999", "-1e999",
    "9007199254740993", "-9007199254740993", "123456789012345678901234567890",
    "True", "TRUE", "tru", "truee", "nul", "nulll", "fals", "undefined", "'a'", '"', '"a', 'a"', '"\\"',
    '"\\x41"', '"\\a"', '"\\u"', '"\\u1"', '"\\u12"', '"\\u123"', '"\\u12G4"', '"\\uD800"', '"\\uDC00"',
    '"\\uD800\\u0041"', '"\\uD800\\n"', '"\\uDC00\\uD800"', '"\\ud83d"', '"\\U0041"', '"\\', '"\\u00',
    '"\n"', '"\t"', '"\0"', '"\1"', '"\31"', '"a\nb"',
    '"\128"', '"\255"', '"\192\128"', '"\193\191"', '"\224\128\128"', '"\237\160\128"', '"\237\191\191"',
    '"\240\128\128\128"', '"\244\144\128\128"', '"\245\128\128\128"', '"\195"', '"\226\130"', '"\240\159\152"',
    "\\u0041", "a", "$", "#", "*", "\0", "\239\187\1911", "/**/1", "1//", "`a`",
  }
  for _, s in ipairs(scalars) do add(s, "[" .. s .. "]", '{"k":' .. s .. "}") end
  add("", " ", "[", "]", "{", "}", "[[", "]]", "[1", "[1,", "[,", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[1:2]", "[1;2]",
    "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1,,"b":2}', '{"a" 1}', '{"a"::1}', "{a:1}", "{'a':1}", "{1:1}",
    "{null:1}", "{[]:1}", '{"a":1 "b":2}', '{"a":1]', '[1}', "[}", "{]", "1 2", "1,2", "[] []", "{}{}", "[]]", "{}}",
    '""""', '"a" "b"', "null null", "[1]x", "\f1", "\v1", "\194\1601", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}',
    '{"x":{"a":1,"a":1}}', ("["):rep(65) .. ("]"):rep(65), ("["):rep(100000), ('{"a":'):rep(100000),
    '["\\u00A"]', '{"a":"\1"}', '[1,\n2,\n3', "[\"a\",\n4\n,1,", '{"a":true', '["x"', '{"', '{"a', '{"a"', '{"a":')
  return docs
end

describe("reading JSON", function()
  it("accepts what RFC 8259 allows", function()
    local docs = valid_documents()
    assert.is_true(#docs >= 95)
    for _, doc in ipairs(docs) do
      local v, err = json.decode(doc)
      assert(v ~= nil, doc .. ": " .. tostring(err and err.message))
    end
  end)

  it("refuses everything else, saying where", function()
    local docs = invalid_documents()
    assert.is_true(#docs >= 188)
    for _, doc in ipairs(docs) do
      local v, err = json.decode(doc)
      assert(v == nil and err, "accepted: " .. doc:sub(1, 60))
      assert.matches("^line %d+, column %d+: ", err.message)
    end
  end)

  it("keeps values exactly", function()
    local v = json.decode '{"i":9007199254740991,"n":-9007199254740992,"f":0.1,"s":"\\u0000é","z":null,"e":[],"o":{}}'
    assert.equal(9007199254740991, v.i)
    assert.equal(-9007199254740992, v.n)
    assert.equal(0.1, v.f)
    assert.equal("\0é", v.s)
    assert.equal(json.null, v.z)
    assert.is_true(json.is_array(v.e))
    assert.is_false(json.is_array(v.o))
  end)

  it("has limits with codes of their own", function()
    local function code(doc, opts) return select(2, json.decode(doc, opts)).code end
    assert.equal("too_deep", code("[[[1]]]", { max_depth = 2 }))
    assert.equal("too_large", code("[1,2,3]", { max_nodes = 3 }))
    assert.equal("number_out_of_range", code "9007199254740993")
    assert.equal("invalid_utf8", code '"\255"')
    assert.equal("invalid_json", code "{")
    assert.equal("line 2, column 5: a value was expected", select(2, json.decode('{\n"a":x}')).message)
  end)
end)

describe("writing JSON", function()
  it("is read back the same", function()
    for _, doc in ipairs(valid_documents()) do
      local v = json.decode(doc)
      local text = assert(json.encode(v))
      assert.same(v, json.decode(text))
    end
    for _ = 1, 1000 do
      local x = (math.random() - 0.5) * 10 ^ math.random(-300, 300)
      assert.equal(x, json.decode((json.encode(x))))
    end
  end)

  it("writes what lies beyond 2^53 so that a strict reader takes it", function()
    for _, text in ipairs { "33336000063452589.2", "9007199254740994.0", "-1e16", "123456789012345680.0", "1e300" } do
      local x = json.decode(text)
      assert.equal(x, json.decode((json.encode(x))))
    end
  end)

  it("tells lists from objects", function()
    assert.equal("[]", json.encode(json.array()))
    assert.equal("{}", json.encode {})
    assert.equal("[1,2]", json.encode { 1, 2 })
    assert.equal('{"a":[{}]}', json.encode { a = { {} } })
    assert.equal('{\n  "a": 1,\n  "b": [\n    2\n  ]\n}', json.encode({ b = { 2 }, a = 1 }, { sorted = true, indent = 2 }))
    assert.equal('"\\u0001\\u007f\\"\\\\\\n"', json.encode "\1\127\"\\\n")
  end)

  it("refuses what JSON cannot say", function()
    local cycle = {}
    cycle[1] = cycle
    for _, v in ipairs { print, 0 / 0, 1 / 0, "\255", { [1.5] = 1 }, { [true] = 1 }, { 1, x = 2 }, cycle, { print } } do
      local text, err = json.encode(v)
      assert.is_nil(text)
      assert.matches("^cannot encode %$", err.message)
    end
    for path, v in pairs {
      ["$"] = print, ["$[2]"] = { 1, print }, ["$.a"] = { a = "\255" }, ["$.a[1].b"] = { a = { { b = 0 / 0 } } },
      ["$.o"] = { o = { a = 1, b = 2, c = 3, [true] = 1 } }, ["$.m[1]"] = { m = json.array { { 1, x = 2 } } },
      -- Marked as lists, they would lose these keys without a word.
      ["$.k"] = { k = json.array { x = 1 } }, ["$.h"] = { h = json.array { 1, nil, 3 } },
    } do
      for _, opts in ipairs { {}, { sorted = true } } do
        local err = select(2, json.encode(v, opts))
        assert.equal("cannot encode " .. path .. ": ", err.message:sub(1, #path + 16))
      end
    end
  end)

  it("escapes a character wherever it stands in a text", function()
    for code = 0, 127 do
      local char = string.char(code)
      local alone = json.encode(char):sub(2, -2)
      assert.equal(code < 32 or code == 127 or char == '"' or char == "\\", alone ~= char, "character " .. code)
      for before = 0, 17 do
        for _, rest in ipairs { "", "y", ("y"):rep(8), "й" .. ("y"):rep(9), '"' } do
          local text = ("x"):rep(before) .. char .. rest
          local encoded = json.encode(text)
          assert.equal('"' .. ("x"):rep(before) .. alone .. json.encode(rest):sub(2), encoded)
          assert.equal(text, json.decode(encoded))
        end
      end
      assert.is_nil((json.encode(("x"):rep(code % 20) .. "\xff" .. ("y"):rep(9))))
    end
  end)

  it("writes a short number that reads back the same", function()
    for text in ("0 -1 0.5 -0.5 0.001 -0.001 0.1 12.34 1234567.891 999999999.999 1e-07 0.0001 1.0005 0.30000000000000004"
      .. " 1.7976931348623157e+308 1e+300 123456789012.345 9007199254740991"):gmatch "%S+" do
      assert.equal(text, json.encode(tonumber(text)))
    end
    local state = 1
    for _ = 1, 20000 do
      state = (state * 69069 + 1) % 2 ^ 32
      local n = (state - 2 ^ 31) / 10 ^ (state % 9)
      local written = json.encode(n)
      assert.equal(n, tonumber(written))
      if n ~= math.floor(n) and tonumber(("%.15g"):format(n)) == n then
        assert.equal(("%.15g"):format(n), written)
      end
    end
  end)
end)

describe("the shape of an object", function()
  it("is written with the values that there are, in the order of its names", function()
    local shape = json.shape({ "id", "list", "n", "raw", "last" }, { "raw" })
    assert.equal('{"id":"a\\"b","list":[1,{"x":true}],"n":0.5,"raw":[1, 2],"last":null}',
      shape('a"b', { 1, { x = true } }, 0.5, "[1, 2]", json.null))
    assert.equal('{"n":false}', shape(nil, nil, false))
    assert.equal("{}", shape())
    assert.equal('{"id":"ї"}', shape("ї", nil, nil, nil, nil, "too many"))
    assert.same({ id = ("x"):rep(5000) }, json.decode(shape(("x"):rep(5000))))
  end)

  it("says where a value is that JSON does not have", function()
    local shape = json.shape({ "good", "bad", "raw" }, { "raw" })
    local function problem(...)
      local text, err = shape(...)
      assert.is_nil(text)
      return err.message
    end
    assert.equal("cannot encode $.bad: function", problem(1, print))
    assert.equal("cannot encode $.bad.list[2]: a number is not finite", problem(1, { list = { 1, 1 / 0 } }))
    assert.equal("cannot encode $.good: a string is not valid UTF-8", problem "\xff")
    assert.equal("cannot encode $.raw: its JSON as a text expected", problem(1, 2, {}))
  end)

  it("has plain names", function()
    assert.has_error(function() json.shape {} end)
    assert.has_error(function() json.shape { 'a"' } end)
    assert.has_error(function() json.shape { {} } end)
  end)
end)
