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

  -- The GCM specification (McGrew, Viega), appendix B, test cases 13, 14 and 16.
  local GCM = {
    { key = ("00"):rep(32), nonce = ("00"):rep(12), text = "", extra = "",
      sealed = "530f8afbc74536b9a963b4f1c4cb738b" },
    { key = ("00"):rep(32), nonce = ("00"):rep(12), text = ("00"):rep(16), extra = "",
      sealed = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
    { key = ("feffe9928665731c6d6a8f9467308308"):rep(2), nonce = "cafebabefacedbaddecaf888",
      text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
        .. "ba637b39", extra = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
        .. "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b" },
  }
  local function raw(hex) return (hex:gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end)) end

  it("seals and opens with AES-256-GCM as published", function()
    for _, v in ipairs(GCM) do
      local key, nonce, text, extra = raw(v.key), raw(v.nonce), raw(v.text), raw(v.extra)
      local sealed = crypto.aes_gcm_seal(key, nonce, text, extra)
      assert.equal(v.sealed, crypto.hex(sealed))
      assert.equal(text, crypto.aes_gcm_open(key, nonce, sealed, extra))
    end
  end)

  it("opens nothing that was changed, cut, or sealed with other things", function()
    local key, nonce = ("k"):rep(32), ("n"):rep(12)
    local sealed = crypto.aes_gcm_seal(key, nonce, "secret", "name")
    local function refused(...)
      local text, err = crypto.aes_gcm_open(...)
      assert.is_nil(text)
      assert.equal("invalid", err.code)
    end
    for i = 1, #sealed do
      local byte = string.char(bit.bxor(sealed:byte(i), 1))
      refused(key, nonce, sealed:sub(1, i - 1) .. byte .. sealed:sub(i + 1), "name")
      refused(key, nonce, sealed:sub(1, i - 1), "name")
    end
    refused(("j"):rep(32), nonce, sealed, "name")
    refused(key, ("m"):rep(12), sealed, "name")
    refused(key, nonce, sealed, "other")
    refused(key, nonce, sealed)
    assert.has_error(function() crypto.aes_gcm_seal("short", nonce, "x") end)
    assert.has_error(function() crypto.aes_gcm_seal(key, "short", "x") end)
  end)

  it("compares in constant time", function()
    assert.is_true(crypto.equal("a\0b", "a\0b"))
    assert.is_false(crypto.equal("a", "ab"))
    assert.is_false(crypto.equal("a", "b"))
  end)
end)
