-- A name server that never answers, in a network of its own: whoever closes the database meanwhile does not wait.

local fs = require "host.fs"
local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

local INSIDE = [[
set -e
ip link set lo up
mount --bind "$1/resolv.conf" /etc/resolv.conf
mkfifo "$1/asked"
python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
out = open(sys.argv[1], "w")
s.recv(512)
print("asked", file=out, flush=True) # once: nobody reads when it is asked again
while True:
    s.recv(512)
' "$1/asked" &
trap 'kill $!' EXIT
cat >"$1/close.lua" <<'END'
local fs, postgres = require "host.fs", require "host.postgres"
local function threads() return #fs.list "/proc/self/task" end
local task = require "host.task"
local asked = io.open(({ ... })[1]) -- there is a name server now
local before = threads()
local opening = task.spawn(function() postgres.open { url = "postgres://db.example/x" } end)
task.sleep(0) -- lets it begin
assert(asked:read() == "asked")
assert(threads() > before)
opening:cancel()
collectgarbage() collectgarbage()
print(threads() > before and "the lookup goes on alone" or "the lookup was waited for")
os.exit(0)
END
timeout 60 "$2" lua "$1/close.lua" "$1/asked"
]]

describe("a database whose name is being looked up", function()
  it("can be closed", function()
    local dir = assert(temporary.folder())
    if programs.run({ "unshare", "-rmn", "true" }, { stderr = "null" }).code ~= 0 then
      return pending "this machine lets nobody make a network of their own"
    end
    assert(fs.write(dir .. "/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"))
    local r = programs.run({ "unshare", "-rmn", "bash", "-c", INSIDE, "inside", dir, programs.EXE },
      { stderr = "stdout" })
    assert.equal("the lookup goes on alone\n", r.out)
  end)
end)
