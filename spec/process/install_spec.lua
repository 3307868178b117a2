-- cmake --install, to a prefix that the build did not know.

local fs = require "host.fs"
local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

describe("an installed Parley", function()
  it("finds what it reads under its own prefix", function()
    local dir = assert(temporary.folder())
    local build = programs.EXE:match "^(.*)/[^/]*$"
    assert.equal(0, programs.run({ "cmake", "--install", build, "--prefix", dir }).code)
    local function run(...)
      return programs.run({ dir .. "/bin/parley", "plugin", ... }, { cwd = "/", stderr = "stdout" })
    end
    assert.equal(0, run("new", "zed", "--home", dir .. "/home").code)
    assert.matches("3 successes / 0 failures", run("test", "zed", "--home", dir .. "/home").out)
    for _, folder in ipairs { "lua", "plugins", "conf", "migrations", "templates", "web" } do
      assert.is_true(fs.exists(dir .. "/share/parley/" .. folder))
    end
  end)
end)
