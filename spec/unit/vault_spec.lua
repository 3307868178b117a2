local vault = require "parley.auth.vault"

describe("the vault", function()
  local v = vault.new(("m"):rep(32))

  it("opens what it has sealed, in its place only", function()
    local sealed = v:seal("123:secret", "bot:shop")
    assert.is_nil(sealed:find("secret", 1, true))
    assert.equal("123:secret", v:open(sealed, "bot:shop"))
    assert.equal("123:secret", vault.new(("m"):rep(32)):open(sealed, "bot:shop"))
    assert.equal("damaged", select(2, v:open(sealed, "bot:other")).code)
  end)

  it("seals the same text in another way each time", function()
    assert.not_equal(v:seal("a", "b"), v:seal("a", "b"))
  end)

  it("tells a wrong master key from what was damaged", function()
    local sealed = v:seal("secret", "bot:shop")
    local text, err = vault.new(("n"):rep(32)):open(sealed, "bot:shop")
    assert.is_nil(text)
    assert.equal("wrong_secret_key", err.code)
    assert.matches("PARLEY_SECRET_KEY", err.message)
    for _, broken in ipairs {
      "", "v1", "v2." .. v.mark .. ".AAAA", sealed:sub(1, -3), sealed .. "A", ("v1.%s.AAAA"):format(v.mark),
    } do
      text, err = v:open(broken, "bot:shop")
      assert.is_nil(text)
      assert.equal("damaged", err.code)
    end
  end)
end)
