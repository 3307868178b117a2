local crypto = require "host.crypto"

describe("host.crypto", function()
  it("agrees with the published vectors", function()
    -- FIPS 180-2 appendix B.1; RFC 4231 test case 2; RFC 4648 section 10
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", crypto.hex(crypto.sha256 "abc"))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      crypto.hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")))
    for plain, coded in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    } do
      assert.equal(coded, crypto.base64(plain))
      assert.equal(plain, crypto.unbase64(coded))
      assert.equal((coded:gsub("=", "")), crypto.base64url(plain))
      assert.equal(plain, crypto.unbase64url((coded:gsub("=", ""))))
    end
  end)

  it("refuses base64 that is not exactly that", function()
    for _, s in ipairs { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "Zm 9v", "Zm9v\n", "====", "Z===", "Zm-v" } do
      local v, err = crypto.unbase64(s)
      assert.is_nil(v, s)
      assert.equal("invalid", err.code)
    end
  end)

  it("makes identifiers that grow", function()
    local last = ""
    for _ = 1, 10000 do
      local id = crypto.uuid7()
      assert.matches("^%x+%-%x+%-7%x%x%x%-[89ab]%x%x%x%-%x+$", id)
      assert.equal(36, #id)
      assert.is_true(id > last)
      last = id
    end
    local id, ms = crypto.timed_uuid7()
    assert.is_true(id > last)
    assert.equal(ms, tonumber(id:sub(1, 8) .. id:sub(10, 13), 16))
    assert.matches("^%x+$", crypto.trace_id())
    assert.equal(32, #crypto.trace_id())
  end)

  it("hashes secrets with bcrypt and tells right from wrong", function()
    local hash = assert(crypto.bcrypt_hash("secret", 4))
    assert.matches("^%$2b%$04%$", hash)
    assert.is_true(crypto.bcrypt_check("secret", hash))
    assert.is_false(crypto.bcrypt_check("Secret", hash))
    assert.is_false(crypto.bcrypt_check("secret", "junk"))
    local none, err = crypto.bcrypt_hash(("x"):rep(73), 4)
    assert.is_nil(none)
    assert.equal("invalid", err.code)
  end)

  it("compares in constant time", function()
    assert.is_true(crypto.equal("a\0b", "a\0b"))
    assert.is_false(crypto.equal("a", "ab"))
    assert.is_false(crypto.equal("a", "b"))
  end)
end)
