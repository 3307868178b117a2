-- For disk_spec.lua, in a process that has the disk of its first argument for itself: fills it under load, and
-- frees it again. The result is 0 when everything was as it must be.

local checker = require "spec.support.checker"
local programs = require "spec.support.process"
local rig = require "spec.chaos.rig"
local task = require "host.task"
local time = require "host.time"

local HANG_S = 60

local folder = ...
local r = rig.start { sqlite = folder .. "/parley.db" }
local load = r:load()
task.sleep(0.5)
local ballast = folder .. "/ballast"
assert(programs.run({ "dd", "if=/dev/zero", "of=" .. ballast, "bs=4k" }).code ~= 0, "the disk was not full")
-- What has room in the log of SQLite is still stored, and acknowledged.
programs.eventually("a refusal", function() return load.refused["503 disk_full"] end, HANG_S)
task.sleep(1)
assert(os.remove(ballast))
local first, all = load:recovery(time.mono(), HANG_S)
assert(all, "clients are left without an answer")
print(("first answer %.3f s after there was room, everyone after %.3f s"):format(first, all))
local problems = r:check()
print(checker.describe(problems))
r:close()
return #problems == 0 and 0 or 1
