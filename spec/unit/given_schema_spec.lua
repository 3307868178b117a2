local given = require "parley.schema.given"
local json = require "host.json"

describe("a schema that a stranger wrote", function()
  it("checks as one of ours does", function()
    local check = assert(given.compile {
      type = "object", additionalProperties = false, required = { "name" },
      properties = {
        name = { type = "string", pattern = "^%a+$", maxLength = 5 }, tags = { type = "array", items = { type = "string" } },
        size = { anyOf = { { type = "number", minimum = 1 }, { type = "null" } } }, kind = { enum = { "a", "b" } },
        files = { type = "object", minProperties = 1, maxProperties = 2 },
      },
    })
    assert.is_nil(check { name = "ann", tags = json.array { "x" }, size = 2, kind = "a", files = { a = 1, b = 2 } })
    for _, value in ipairs {
      {}, { name = "a1" }, { name = "toolong" }, { name = "a", tags = json.array { 1 } }, { name = "a", size = 0 },
      { name = "a", kind = "c" }, { name = "a", more = 1 }, { name = "a", files = {} },
      { name = "a", files = { a = 1, b = 2, c = 3 } },
    } do assert.is_table(check(value)) end
    assert.equal("does not have the form ^%a+$", check { name = "1" }[1].message)
  end)

  it("is refused when it could not be used", function()
    for problem, schema in pairs {
      ["a schema expected"] = 5,
      ["properties: an object expected"] = { properties = 5 },
      ["properties.a: a schema expected"] = { properties = { a = json.array { 1 } } },
      ["required: a list of names expected"] = { required = { {} } },
      ["type: a type, or a list of types, expected"] = { type = "text" },
      ["enum: a list of values expected"] = { enum = 7 },
      ["enum: texts and numbers expected"] = { enum = { {} } },
      ["anyOf[0]: a schema expected"] = { anyOf = { 5 } },
      ["anyOf: a list of schemas expected"] = { anyOf = {} },
      ["maxItems: a whole number of 0 or more expected"] = { maxItems = -1 },
      ["minLength: a whole number of 0 or more expected"] = { minLength = 1e300 },
      ["maximum: a number expected"] = { maximum = "a" },
      ["format: a text expected"] = { format = {} },
      ["items.pattern: a text expected"] = { items = { pattern = 5 } },
      ["the keyword 'patern' is none that is checked here. Did you mean 'pattern'?"] = { patern = "x" },
    } do
      local check, said = given.compile(schema)
      assert.is_nil(check)
      assert.equal(problem, said)
    end
  end)

  it("is refused when its pattern is none", function()
    local check, problem = given.compile { pattern = "(" }
    assert.is_nil(check)
    assert.matches("^pattern '%(': ", problem)
  end)

  it("is refused when it is too deep or too large", function()
    local deep, wide = {}, { properties = {} }
    for _ = 1, 20 do deep = { items = deep } end
    for i = 1, 600 do wide.properties["p" .. i] = {} end
    assert.matches("nested more than 16 levels deep", (select(2, given.compile(deep))))
    assert.matches("more than 500 schemas in one", (select(2, given.compile(wide))))
  end)
end)
