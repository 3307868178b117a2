-- More connections than anybody needs, saying nothing: those who have something to say are served beside them.

local checker = require "spec.support.checker"
local process = require "host.process"
local programs = require "spec.support.process"
local rig = require "spec.chaos.rig"
local task = require "host.task"
local time = require "host.time"

local HANG_S = 60

local function crowd(port, count)
  local p = assert(process.spawn {
    argv = { "python3", "spec/chaos/crowd.py", tostring(port), tostring(count) }, stdin = "pipe", stderr = "inherit",
  })
  return p, tonumber((assert(p:read_line(HANG_S))))
end

-- Somebody who was not there before gets an answer, at the first try.
local function welcomes_newcomer(r, name)
  local answer = assert(r.instances[1].h:say(name, "/tally 1", { message_id = "m1" }))
  assert.equal("1 after none", answer.body.text)
end

local function stands(r, count)
  local load = r:load()
  task.sleep(0.3)
  local p, held = crowd(r.instances[1].port, count)
  assert.is_truthy(select(2, load:recovery(time.mono(), HANG_S)))
  welcomes_newcomer(r, "during")
  p:close_stdin()
  assert(p:wait(HANG_S))
  welcomes_newcomer(r, "after")
  local problems = r:check()
  assert.same({}, checker.kinds(problems), checker.describe(problems))
  assert.same({}, load.refused)
  r:close()
  return held
end

describe("idle connections", function()
  it("ten thousand of them keep nobody out", function()
    assert.is_true(stands(rig.start(), 10000) > 9000)
  end)

  it("use up no descriptor that the host needs", function()
    assert.is_true(stands(rig.start { argv = { "prlimit", "--nofile=200:200", programs.EXE, "serve" } }, 400) < 200)
  end)
end)
