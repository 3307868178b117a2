-- parley plugin logs, beside a host whose plugins have something to say: one in each ring, and on
-- PostgreSQL two workers.

local database = require "spec.support.database"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"

local SECONDS = 60

local TALKER = [[
local p = parley.plugin()
p.on.command("%s", function(c, what)
  c.log:debug("asked", { what = what })
  c.log:info("an order\nin two lines", { item = what, token = "abc", red = "a\27[31mb" })
  if what == "fail" then
    local none
    return none.field
  end
  c:reply "noted"
end)
return p
]]

local function line_of(lines, message, dialog)
  for _, line in ipairs(lines) do
    if line.msg == message and line.dialog_id == dialog then return line end
  end
end

describe("parley plugin logs", function()
  local h

  local function logs(arguments)
    local code, out = h:run("plugin logs -o json " .. arguments)
    assert.equal(0, code, out)
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = assert(json.decode(line), line) end
    return lines
  end

  setup(function()
    h = serve.start {
      env = { PARLEY_WORKERS = database.is_postgres and "2" or "1" },
      prepare = function(home)
        for _, name in ipairs { "free", "held" } do
          host.write_plugin({ home = home }, name, { main = TALKER:format(name) })
        end
        assert(fs.mkdir(home .. "/conf"))
        assert(fs.write(home .. "/conf/parley.lua", "return { plugins = { held = { ring = 'isolated' } } }"))
      end,
    }
    for _, name in ipairs { "free", "held" } do
      h:say(name .. "-well", "/" .. name .. " tea")
      h:say(name .. "-ill", "/" .. name .. " fail")
    end
  end)
  teardown(function() h:close() end)

  it("shows what plugins of both rings have logged, and why they failed", function()
    local lines = logs ""
    for _, name in ipairs { "free", "held" } do
      local said = assert(line_of(lines, "an order\nin two lines", name .. "-well"))
      assert.same({ "info", name, "tea" }, { said.level, said.plugin, said.fields.item })
      assert.equal("[redacted]", said.fields.token)
      local failed = assert(line_of(lines, "plugin failed", name .. "-ill"))
      assert.same({ "warn", name, "exception" }, { failed.level, failed.plugin, failed.code })
      assert.matches("^" .. name .. "/main.lua:7: ", failed.error)
      assert.matches("^%x+$", failed.trace_id)
      assert.is_nil(line_of(lines, "asked", name .. "-well"))
    end
    for i = 2, #lines do assert.is_true(lines[i - 1].time <= lines[i].time) end
  end)

  it("shows what was asked for", function()
    for _, line in ipairs(logs "held --level warn") do assert.same({ "held", "warn" }, { line.plugin, line.level }) end
    local of_dialog = logs "--level debug --dialog free-well"
    assert.same({ "asked", "an order\nin two lines" }, { of_dialog[1].msg, of_dialog[2].msg })
    assert.equal(2, #of_dialog)
    assert.equal(1, #logs "--lines 1")
    assert.equal(0, #logs "--since 2100-01-01T00:00:00Z")
    assert.is_true(#logs "--since 1h" >= 6)
  end)

  it("is aligned for a person, whose terminal no plugin can drive", function()
    local code, out = h:run "plugin logs held --dialog held-ill"
    assert.equal(0, code, out)
    assert.matches("^%-%- %d%d%d%d%-%d%d%-%d%d, UTC\n", out)
    assert.matches("\n%d%d:%d%d:%d%d%.%d%d%d info  held  an order\n  in two lines  "
      .. "item=fail red=a%?%[31mb token=%[redacted%] dialog=held%-ill\n", out)
    assert.matches(" warn  held  plugin failed  code=exception dialog=held%-ill\n  held/main.lua:7: ", out)
    code, out = h:run "plugin logs faq"
    assert.same({ 0, "parley: nothing was logged\n" }, { code, out })
    code, out = h:run "plugin logs --lines 1"
    assert.equal(0, code)
    assert.matches("%d+ earlier lines are left out: %-%-lines, %-%-since\n$", out)
  end)

  it("follows", function()
    local follower = assert(process.spawn {
      argv = { programs.EXE, "plugin", "logs", "free", "--follow", "-o", "json", "--home=" .. h.home },
    })
    finally(function()
      follower:kill "KILL"
      follower:wait(SECONDS)
    end)
    local function next_line() return assert(json.decode(assert(follower:read_line(SECONDS)))) end
    local seen = {}
    repeat -- what was there before
      local line = next_line()
      seen[line.trace_id .. line.msg] = true
    until line.msg == "plugin failed"
    for i = 1, 4 do h:say("later" .. i, "/free " .. i) end
    local items = {}
    for _ = 1, 4 do
      local line = next_line()
      assert.is_nil(seen[line.trace_id .. line.msg])
      items[#items + 1] = line.fields.item
    end
    table.sort(items) -- one look at two workers may find what the second has logged later
    assert.equal("1 2 3 4", table.concat(items, " "))
  end)

  it("says when there is no such plugin, no such level, no host", function()
    local code, out = h:run "plugin logs fre"
    assert.same({ 1, "parley: no plugin 'fre'\n" }, { code, out })
    code, out = h:run "plugin logs --level loud"
    assert.equal(64, code)
    assert.matches("debug, info, warn or error expected, got 'loud'", out)
    code, out = h:run "plugin logs --since yesterday"
    assert.equal(64, code)
    assert.matches("how long ago, such as 90s or 2h, or a time like .* expected, got 'yesterday'", out)
    local r = programs.parley({ "plugin", "logs", "--home", "/nowhere" }, { stderr = "stdout" })
    assert.equal(69, r.code)
    assert.matches("no host runs on /nowhere", r.out)
  end)
end)
