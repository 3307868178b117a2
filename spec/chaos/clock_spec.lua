-- The wall clock jumps, hours at a time, in both directions: deadlines, order and jobs go on as if nothing were.

local checker = require "spec.support.checker"
local fs = require "host.fs"
local programs = require "spec.support.process"
local rig = require "spec.chaos.rig"
local task = require "host.task"
local temporary = require "parley.util.temporary"
local time = require "host.time"

local HANG_S = 60
-- It ends ahead of where it was: a job is due at a time, and is not late because the clock was put back.
local JUMPS = { "-1h", "+0", "+1h", "+3h" }

describe("a clock that jumps", function()
  it("changes nothing for those who talk", function()
    local clock = assert(temporary.folder()) .. "/clock"
    assert(fs.write(clock, "+0\n"))
    local library = programs.run({ "sh", "-c", "ls /usr/lib/*/faketime/libfaketime.so.1" }).out:match "[^\n]+"
    local r = rig.start { env = {
      LD_PRELOAD = assert(library, "libfaketime is not installed"), FAKETIME_TIMESTAMP_FILE = clock,
      FAKETIME_NO_CACHE = "1", FAKETIME_DONT_FAKE_MONOTONIC = "1",
      ASAN_OPTIONS = "verify_asan_link_order=0", -- a build of the asan preset may be loaded after the library
    } }
    local load = r:load()
    local seen = {}
    for _, jump in ipairs(JUMPS) do
      task.sleep(0.5)
      assert(fs.write(clock, jump .. "\n"))
      local _, all = load:recovery(time.mono(), HANG_S)
      assert.is_truthy(all)
      local answer = r.instances[1].h:say("clock", "/tally 1")
      seen[#seen + 1] = r:database():first("SELECT received_at FROM inbox WHERE dialog_id = 'clock' "
        .. "AND trace_id = $1", answer.body.trace_id).received_at
    end
    task.sleep(0.5)
    r.by_arrival = false -- by what the clock said; the ids in messages sort as ever
    local problems = r:check()
    r:close()
    assert.same({}, checker.kinds(problems), checker.describe(problems))
    assert.same({}, load.refused)
    -- The clock of the host has jumped indeed.
    assert.is_true(seen[2] - seen[1] > 3500e3 and seen[4] - seen[3] > 7100e3)
  end)
end)
