local router = require "parley.http.router"

describe("the router", function()
  local routes = router.new()
  for _, path in ipairs { "/a/{x}/b", "/a/{x}", "/c" } do
    routes:add { method = "GET", path = path, handler = function() end }
  end

  local function match(path)
    local route, params = routes:match("GET", path)
    return route and route.path, params
  end

  it("gives parameters as they were before they were escaped", function()
    assert.same({ "/a/{x}/b", { x = "1 2" } }, { match "/a/1%202/b" })
  end)

  it("knows no path by the names that it keeps itself", function()
    assert.same({ "/a/{x}", { x = "{}" } }, { match "/a/{}" })
    assert.same({ "/a/{x}", { x = "methods" } }, { match "/a/methods" })
    assert.same({ nil, "not_found" }, { match "/{}" })
    assert.same({ nil, "not_found" }, { match "/c/methods" })
  end)
end)
