-- cmake --install, to a prefix that the build did not know.

local temporary = require "parley.util.temporary"
local fs = require "host.fs"

describe("an installed Parley", function()
  it("finds what it reads under its own prefix", function()
    local dir = assert(temporary.folder())
    local build = fs.realpath("/proc/self/exe"):match "^(.*)/[^/]*$"
    assert.equal(0, os.execute(("cmake --install %s --prefix %s >/dev/null"):format(build, dir)))
    local pipe = io.popen(("cd / && PATH=%s/bin:$PATH && parley plugin new zed --home %s/home 2>/dev/null "
      .. "&& parley plugin test zed --home %s/home 2>&1"):format(dir, dir, dir))
    local out = pipe:read "*a"
    pipe:close()
    assert.matches("3 successes / 0 failures", out)
    for _, folder in ipairs { "lua", "plugins", "conf", "migrations", "templates", "web" } do
      assert.is_true(fs.exists(dir .. "/share/parley/" .. folder))
    end
  end)
end)
