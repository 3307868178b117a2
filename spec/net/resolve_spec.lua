local resolve = require "host.resolve"
local task = require "host.task"

describe("the addresses of a name", function()
  local function one(name)
    local list, err = resolve.addresses(name)
    assert(list, err and err.message)
    return list[1].address, list[1].special
  end

  it("are found in every notation that a connection would take, with their kind", function()
    for name, expected in pairs {
      ["127.0.0.1"] = { "127.0.0.1", "loopback" }, ["127.1"] = { "127.0.0.1", "loopback" },
      ["2130706433"] = { "127.0.0.1", "loopback" }, ["0x7f.1"] = { "127.0.0.1", "loopback" },
      ["0177.0.0.1"] = { "127.0.0.1", "loopback" }, ["10.0.0.1"] = { "10.0.0.1", "private" },
      ["169.254.169.254"] = { "169.254.169.254", "link-local" }, ["::1"] = { "::1", "loopback" },
      ["::ffff:10.0.0.1"] = { "::ffff:10.0.0.1", "private" }, ["8.8.8.8"] = { "8.8.8.8" },
      ["2606:4700:4700::1111"] = { "2606:4700:4700::1111" },
    } do
      assert.same(expected, { one(name) }, name)
    end
  end)

  it("are an error for a name that is none", function()
    local list, err = resolve.addresses(("x"):rep(64) .. ".example")
    assert.is_nil(list)
    assert.same({ "resolve", "resolve" }, { err.code, err.op })
  end)

  it("are asked for with a name", function()
    for _, name in ipairs { "", "a\0b", ("x"):rep(254) } do
      assert.has_error(function() resolve.addresses(name) end)
    end
  end)

  it("may be given up at any moment", function()
    for _ = 1, 50 do
      local t = task.spawn(resolve.addresses, "127.0.0.1")
      t:cancel()
    end
    assert.equal("127.0.0.1", one "127.0.0.1")
  end)
end)
