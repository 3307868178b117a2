-- Names whose address is another one when the host connects than it was when the host looked: a network of
-- its own with a name server that does that on purpose.

local fs = require "host.fs"
local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

local INSIDE = [[
set -e
unset PARLEY_SPEC_DATABASE_URL
mount --bind "$1/resolv.conf" /etc/resolv.conf
mkfifo "$1/ready"
python3 spec/support/fake_dns.py >"$1/ready" &
trap 'kill $!' EXIT
read -r _ <"$1/ready"
"$2" busted -o TAP spec/net/rebinding/inside.lua
]]

describe("names that change their address", function()
  it("lead nowhere inside", function()
    local dir = assert(temporary.folder())
    if programs.run({ "unshare", "-rmn", "true" }, { stderr = "null" }).code ~= 0 then
      return pending "this machine lets nobody make a network of their own"
    end
    assert(fs.write(dir .. "/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"))
    local r = programs.run({ "unshare", "-rmn", "bash", "-c", INSIDE, "inside", dir, programs.EXE },
      { stderr = "stdout" })
    assert.equal(0, r.code, r.out)
    assert.matches("ok 7 ", r.out)
  end)
end)
