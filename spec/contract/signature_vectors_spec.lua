-- examples/signature-vectors.json: what the host signs, and what both examples take and refuse.

local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local support = require "spec.support.host"
local webhook = require "parley.plugins.webhook"

local FILE = "examples/signature-vectors.json"
local VECTORS = assert(json.decode(fs.read(FILE)))

local CHECKS = { { "python3", "examples/rest-python/vectors.py" }, { "node", "examples/rest-node/vectors.mjs" } }

describe("the signature vectors", function()
  it("are what the host signs", function()
    local signed = 0
    for _, v in ipairs(VECTORS) do
      if v.valid then
        local signature = webhook.sign(webhook.key(v.secret), v.id, v.timestamp, v.body)
        local given = " " .. v.signature .. " "
        assert(given:find(" " .. signature .. " ", 1, true), v.name)
        signed = signed + 1
      end
    end
    assert.is_true(signed > 5 and signed < #VECTORS)
  end)

  for _, argv in ipairs(CHECKS) do
    it("hold for " .. argv[2], function()
      local r = programs.run { argv[1], argv[2], FILE }
      assert.equal(0, r.code, r.err)
      assert.equal(#VECTORS .. " vectors, 0 wrong\n", r.out)
    end)

    it("are all looked at by " .. argv[2], function()
      local turned = json.array()
      for i, v in ipairs(VECTORS) do
        turned[i] = {}
        for key, value in pairs(v) do turned[i][key] = value end
        turned[i].valid = not v.valid
      end
      local file = support.temp_dir() .. "/vectors.json"
      assert(fs.write(file, json.encode(turned)))
      local r = programs.run { argv[1], argv[2], file }
      assert.equal(1, r.code)
      assert.equal(("%d vectors, %d wrong\n"):format(#turned, #turned), r.out)
      for _, v in ipairs(turned) do assert(r.err:find(v.name .. ": ", 1, true), v.name) end
    end)
  end
end)
