local fs = require "host.fs"
local process = require "host.process"
local programs = require "spec.support.process"
local support = require "spec.support.host"

local ARGV = { programs.EXE, "busted", "spec/process/stdin_fixture.lua" }

local function all(o) return programs.run(ARGV, o).out:match "^(.-)end " end

describe("host.stdin", function()
  it("reads lines from a pipe, with what the end cuts off", function()
    assert.equal('"one"\n""\n"two"\n"three"\n"closed"\n', all { input = "one\r\n\ntwo\nthree" })
    assert.equal('"closed"\n', all { input = "" })
  end)

  it("reads a file, and the empty device", function()
    local path = support.temp_dir() .. "/input"
    assert(fs.write(path, "a\n" .. ("b"):rep(100000) .. "\nc"))
    assert.equal(('"a"\n"%s"\n"c"\n"closed"\n'):format(("b"):rep(100000)), all { stdin = path })
    assert.equal('"closed"\n', all { stdin = "null" })
  end)

  it("waits without holding up what else runs", function()
    local p = assert(process.spawn { argv = ARGV, stdin = "pipe", env = { SPEC_TIMEOUT = "0.05" } })
    assert.equal('"timeout"', p:read_line(60))
    assert(p:write("ha", 60))
    assert.equal('"timeout"', p:read_line(60))
    assert(p:write("lf\nnext\n", 60))
    local lines = {}
    repeat
      local line = assert(p:read_line(60))
      if line ~= '"timeout"' then lines[#lines + 1] = line end
    until #lines == 2
    assert.same({ '"half"', '"next"' }, lines)
    p:close_stdin()
    assert.matches('"closed"\nend others ran\n', p:read(nil, 60))
  end)

  it("refuses a line without an end", function()
    assert.equal('"too_large"\n', all { input = ("x"):rep(1100000) })
    local out = all { input = ("x"):rep(1000000) .. "\n" }
    assert.equal(1000002 + #'\n"closed"\n', #out)
  end)

  it("reads at a terminal, and leaves it as it was", function()
    local p = assert(process.spawn { argv = { "python3", "spec/support/terminal.py", unpack(ARGV) }, stdin = "pipe" })
    assert(p:write("typed\n", 60))
    assert.equal('"typed"', p:read_line(60))
    assert(p:write("\4", 60)) -- Ctrl-D
    assert.equal('"closed"', p:read_line(60))
    assert.equal("blocking", p:read_err_line(10))
  end)
end)
