-- parley plugin top, beside a host that has something to do.

local json = require "host.json"
local programs = require "spec.support.process"
local samples = require "parley.ops.samples"
local serve = require "spec.support.serve"
local task = require "host.task"

describe("parley plugin top", function()
  local h
  setup(function() h = serve.start() end)
  teardown(function() h:close() end)

  it("shows the busiest first, by what they did between two looks", function()
    local stopped = false
    local talking = task.spawn(function()
      while not stopped do h:say("d", "/echo hello") end
    end)
    local code, out = h:run "plugin top --interval 1s --times 2 -o json"
    stopped = true
    talking:join()
    assert.equal(0, code, out)
    local looks = {}
    for line in out:gmatch "[^\n]+" do looks[#looks + 1] = assert(json.decode(line)) end
    assert.equal(2, #looks)
    local echo = looks[2][1]
    assert.equal("echo", echo.plugin)
    assert.is_true(echo.calls_per_second > 0)
    assert.same({ 0, "active", 0 }, { echo.failed_per_second, echo.state, echo.calls_waiting })
    assert.is_true(echo.cpu_share > 0 and echo.cpu_share <= 1)
    assert.is_true(echo.p95_seconds > 0 and echo.memory_bytes > 10000)
    local faq
    for _, row in ipairs(looks[2]) do faq = row.plugin == "faq" and row or faq end
    assert.equal(0, faq.calls_per_second)
    assert.is_nil(faq.p95_seconds)
  end)

  it("is a table for people", function()
    local _, out = h:run "plugin top --interval 1s --times 1"
    assert.matches("^PLUGIN +STATE +CALLS/S +FAILED/S +P95 +CPU +MEMORY +WAITING\n", out)
    assert.matches("\necho +active +0.0 +0.0 +%- +0.0 %% +%d+%.%d MB +0\n", out)
  end)

  it("says when no host runs", function()
    local r = programs.parley({ "plugin", "top", "--times", "1", "--home", "/nowhere" }, { stderr = "stdout" })
    assert.is_true(r.code ~= 0)
    assert.matches("no host runs on /nowhere", r.out)
  end)
end)

describe("samples of metrics", function()
  it("are read with their labels", function()
    local found = samples.read 'a{x="1",y="say \\"hi\\" \\\\"} 2\nb 3.5\n# HELP b\nc_bucket{le="+Inf"} 7\n'
    assert.same({ labels = { x = "1", y = 'say "hi" \\' }, value = 2 }, found.a[1])
    assert.same({ labels = {}, value = 3.5 }, found.b[1])
    assert.equal("+Inf", found.c_bucket[1].labels.le)
  end)
end)
