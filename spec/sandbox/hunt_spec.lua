local fs = require "host.fs"
local support = require "spec.support.process"

describe("a hunt", function()
  it("finds the case that ends the process, makes it smaller and keeps it", function()
    local kept = "build/fuzz/crashing_fuzzer-4-70.lua"
    fs.remove(kept)
    local r = support.parley { "lua", "fuzz/main.lua", "spec/support/crashing_fuzzer.lua", "--seconds", "5", "--seed", "4" }
    assert.equal(1, r.code, r.out .. r.err)
    assert.matches("FAILURE after case %d+: [%w: ]*SEGV", r.out)
    assert.matches("crashing_fuzzer%-4%-70%.lua: [%w: ]*SEGV\n +boom%(%)\n", r.out)
    assert.matches("FAILURES +1\n", r.out)
    assert.equal("  boom()\n", fs.read(kept))
    fs.remove(kept)
  end)

  it("tells which options it has", function()
    local r = support.parley { "lua", "fuzz/main.lua", "programs", "--seconds", "none" }
    assert.equal(64, r.code)
  end)
end)
