local pattern = require "parley.util.pattern"

describe("bounded patterns", function()
  it("agree with string.find", function()
    math.randomseed(11)
    local pieces = {
      "a", "b", "c", ".", "%a", "%d", "[ab]", "[^a]", "[a-c]", "%.", "[]a]", "[%d_]", "(a)", "(b*)", "()", "%-", "$", "-a",
    }
    local quantifiers = { "", "", "", "*", "+", "-", "?" }
    local letters = { "a", "b", "c", "1", ".", "-", "$", "]", "_" }
    local compiled = 0
    for _ = 1, 4000 do
      local parts = { math.random() < 0.3 and "^" or "" }
      for _ = 1, math.random(0, 6) do
        local piece = pieces[math.random(#pieces)]
        local q = piece:find "^%(" and "" or quantifiers[math.random(#quantifiers)]
        parts[#parts + 1] = piece .. q
      end
      if math.random() < 0.3 then parts[#parts + 1] = "$" end
      local p = table.concat(parts)
      local matches = pattern.compile(p)
      if matches then
        compiled = compiled + 1
        for _ = 1, 6 do
          local t = {}
          for i = 1, math.random(0, 8) do t[i] = letters[math.random(#letters)] end
          local text = table.concat(t)
          assert.equal(text:find(p) ~= nil, matches(text), ("%s on %s"):format(p, text))
        end
      end
    end
    assert.is_true(compiled > 3500)
  end)

  it("match letters beyond ASCII as they stand", function()
    assert.is_true(pattern.compile "^замовити (%d+)$" "замовити 12")
    assert.is_false(pattern.compile "^замовити (%d+)$" "замовить 12")
    assert.is_true(pattern.compile "стол.-вечер" "забронируйте стол на вечер")
  end)

  for p, problem in pairs {
    ["(a"] = "')' is missing", ["a)"] = "without '('", ["[a"] = "']' is missing", ["a%"] = "ends with '%'",
    ["%b()"] = "not available", ["%f[a]"] = "not available", ["(a)%1"] = "not available", ["[а-я]"] = "beyond ASCII",
    ["да+"] = "cannot follow", ["[]"] = "']' is missing", ["[^"] = "']' is missing",
    [("a"):rep(300)] = "longer than", ["a\0"] = "%z", ["[)\0]+"] = "%z",
  } do
    it("refuse " .. p:sub(1, 12):gsub("%z", "\\0"), function()
      local f, message = pattern.compile(p)
      assert.is_nil(f)
      assert.is_truthy(message:find(problem, 1, true), message)
    end)
  end

  it("answer where backtracking would not come to an end", function()
    local matches = pattern.compile(".-a.-a.-a.-a.-a.-a.-a.-ab$")
    assert.is_false(matches(("a"):rep(4000) .. "b "))
    assert.is_true(matches(("a"):rep(4000) .. "b"))
  end)

  it("look at the first 4096 bytes", function()
    assert.is_false(pattern.compile "end" (("x"):rep(5000) .. "end"))
  end)
end)
