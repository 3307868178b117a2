local http = require "host.http_client"

local KINDS = {
  unspecified = { "0.0.0.0", "0.1.2.3", "::" },
  loopback = {
    "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::",
  },
  private = {
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b:1::1", "2002:a00:1::1", "fc00::1", "fd12:3456::1", "fec0::1",
  },
  shared = { "100.64.0.1", "100.127.255.255" },
  metadata = { "168.63.129.16", "::ffff:168.63.129.16" },
  ["link-local"] = { "169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254" },
  reserved = {
    "192.0.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255", "100::1", "2001::1", "2001:20::1", "5f00::1",
  },
  documentation = { "192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1" },
  benchmarking = { "198.18.0.1", "198.19.255.255" },
  multicast = { "224.0.0.1", "239.1.1.1", "ff02::1" },
  invalid = { "", "localhost", "127.1", "1.2.3.4.5", "1::2::3" },
}

local PUBLIC = {
  "1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
  "169.253.0.1", "169.255.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "192.169.0.1",
  "198.17.255.255", "198.20.0.1", "223.255.255.255", "2600::1", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
  "2001:200::1", "2001:4860::1", "2002:808:808::1",
}

-- What libcurl reads as 127.0.0.1, 10.0.0.1 or 169.254.169.254, or resolves so.
local SPELLINGS = {
  "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0x0a000001", "0251.0376.0251.0376",
  "localhost", "LOCALHOST", "[::ffff:7f00:1]",
}

describe("the private address policy", function()
  for kind, list in pairs(KINDS) do
    it("knows what is " .. kind, function()
      for _, address in ipairs(list) do assert.equal(kind, http.address_kind(address), address) end
    end)
  end

  it("lets the public internet pass, up to the edges of the blocks", function()
    for _, address in ipairs(PUBLIC) do assert.is_nil(http.address_kind(address), address) end
  end)

  it("is asked about what a url really leads to", function()
    for _, host in ipairs(SPELLINGS) do
      local r, err = http.request { url = "http://" .. host .. ":9/", timeout = 5 }
      assert.is_nil(r)
      -- On a machine without IPv6 an IPv6 address is no way in either.
      if err.code ~= "private_address" and host:find "%[" then assert.equal("connect", err.code) else
        assert.equal("private_address", err.code, host .. ": " .. err.message)
        assert.is_false(err.retryable)
      end
    end
  end)
end)
