-- The disk that holds the database is full for a while: nothing is acknowledged that is not stored, clients are
-- told to come later, and it goes on by itself when there is room.

local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

-- A small disk that only this command sees. Root may mount it; others are root in a namespace of their own.
local function on_small_disk(folder, command)
  local argv = { "unshare", "--mount" }
  if programs.run({ "id", "-u" }).out ~= "0\n" then
    for _, option in ipairs { "--user", "--map-root-user" } do argv[#argv + 1] = option end
  end
  local script = ("mount -t tmpfs -o size=48m tmpfs '%s' && exec \"$0\" \"$@\""):format(folder)
  for _, word in ipairs { "sh", "-c", script, unpack(command) } do argv[#argv + 1] = word end
  return programs.run(argv, { stderr = "stdout", seconds = 120 })
end

describe("a full disk", function()
  it("costs nothing that was acknowledged, and is forgotten when there is room", function()
    local folder = assert(temporary.folder())
    local r = on_small_disk(folder, { programs.EXE, "lua", "spec/chaos/full_disk.lua", folder })
    assert.equal(0, r.code, r.out)
  end)
end)
