local compile = require("parley.schema.compile").compile
local patterns = require "host.pattern"

describe("patterns of others in the core", function()
  it("fit what string.find finds", function()
    for _, case in ipairs {
      { "order 12", "^order (%d+)$" }, { "order", "^order (%d+)$" }, { "a.b", "." }, { "", "" }, { "x", "^$" }, { "aXb", "%u" },
      { "(a(b))", "%b()$" }, { "THE (quick) fox", "%f[%a]%a+%f[%A]" }, { "aa", "^(.)%1$" }, { "ab", "^(.)%1$" },
    } do
      local text, pattern = case[1], case[2]
      assert.equal(text:find(pattern) ~= nil, patterns.fits(text, pattern), pattern)
      assert.is_nil(patterns.problem(pattern))
    end
  end)

  it("end when they take too long", function()
    local fits, err = patterns.fits(("a"):rep(30000), ".-.-.-.-b")
    assert.is_nil(fits)
    assert.equal("too_large", err.code)
    assert.equal("pattern.fits", err.op)
  end)

  it("are found wrong before they are used", function()
    for pattern, problem in pairs {
      ["(a"] = "unfinished capture", ["a)"] = "invalid pattern capture", ["[a"] = "malformed pattern (missing ']')",
      ["a%"] = "malformed pattern (ends with '%')", ["%f"] = "missing '[' after '%f' in pattern", ["%b("] = "unbalanced pattern",
      ["%1"] = "invalid capture index", ["(a%1)"] = "invalid capture index", [("()"):rep(33)] = "too many captures",
      [("a?"):rep(200)] = "pattern too complex",
    } do
      assert.equal(problem, patterns.problem(pattern))
    end
    assert.has_error(function() patterns.fits("a", "[a") end, "malformed pattern (missing ']')")
    assert.has_error(function() patterns.fits("a", ("a."):rep(2e5)) end, "bad argument #2 to 'fits' (pattern too long)")
  end)

  it("are checked when a schema is compiled, and bounded when a value is", function()
    local ok, problem = pcall(compile, { type = "object", properties = { name = { type = "string", pattern = "[a" } } })
    assert.is_false(ok)
    assert.equal("pattern '[a': malformed pattern (missing ']')", problem)
    local check = compile { type = "string", pattern = "^.-.-.-.-b$" }
    assert.is_nil(check "aab")
    assert.equal("pattern", check(("a"):rep(30000))[1].code)
  end)
end)
