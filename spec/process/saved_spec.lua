-- What is saved is taken up by itself, in the way in which editors save.

local fs = require "host.fs"
local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local saved = require "parley.ops.saved"
local task = require "host.task"
local temporary = require "parley.util.temporary"

describe("a running host of a developer", function()
  local s
  local function write(path, text)
    local full = s.home .. "/" .. path
    assert(fs.mkdir(full:match "^(.*)/"))
    local f = assert(io.open(full, "w")) -- in place, as some editors do
    f:write(text)
    f:close()
  end

  local function plugin(name, word)
    write("plugins/" .. name .. "/manifest.json", json.encode {
      schema = "v1alpha", name = name, version = "1.0.0", api = "1", transport = "lua", commands = { { name = name } },
    })
    write("plugins/" .. name .. "/main.lua", ([[
      local p = parley.plugin()
      p.on.command("%s", function(c) c:reply(c:t "%s") end)
      return p]]):format(name, word))
  end

  local function says(command, text)
    serve.eventually(command .. " says " .. text, function() return s:say("d", command).body.text == text end)
  end

  setup(function()
    s = serve.start { env = { PARLEY_WATCH = false } } -- the default
  end)
  teardown(function() s:close() end)

  it("takes up a plugin that comes, changes, and goes", function()
    local without = s:say("d", "/shop").body.text
    plugin("shop", "one")
    says("/shop", "one")
    plugin("shop", "two")
    says("/shop", "two")
    -- As editors that write another file and put it in the place of the old one.
    assert(fs.write(s.home .. "/plugins/shop/main.lua",
      "local p = parley.plugin()\np.on.command('shop', function(c) c:reply(c:t 'three') end)"))
    says("/shop", "three")
    assert(os.rename(s.home .. "/plugins/shop", s.home .. "/gone"))
    says("/shop", without)
    assert(os.rename(s.home .. "/gone", s.home .. "/plugins/shop"))
    says("/shop", "three")
  end)

  it("takes up texts, libraries, rules and settings", function()
    plugin("shop", "word")
    says("/shop", "word")
    write("plugins/shop/locales/en.json", json.encode { word = "a text" })
    says("/shop", "a text")
    write("plugins/shop/lib/words.lua", "return { word = 'of lib' }")
    write("plugins/shop/main.lua", "local w = require 'words'\nlocal p = parley.plugin()\n"
      .. "p.on.command('shop', function(c) c:reply(w.word) end)")
    says("/shop", "of lib")
    write("plugins/shop/lib/words.lua", "return { word = 'of lib again' }")
    says("/shop", "of lib again")
    write("conf/rules.lua", "return { { match = { text = 'hello' }, route = { reply = 'by rule' } } }")
    says("hello", "by rule")
    write("conf/parley.lua", "return { plugins = { shop = { enabled = false } } }")
    serve.eventually("it is off", function() return s:say("d", "/shop").body.text ~= "of lib again" end)
    write("conf/parley.lua", "return {}")
    says("/shop", "of lib again")
  end)

  it("says what is wrong with what was saved, and goes on with what was well", function()
    plugin("shop", "fine")
    says("/shop", "fine")
    write("plugins/shop/main.lua", "\noh no(")
    serve.eventually("the error", function() return s:file("err"):find("plugins/shop/main.lua:2: ", 1, true) end)
    assert.equal("fine", s:say("d", "/shop").body.text)
    plugin("shop", "mended")
    says("/shop", "mended")
  end)

  -- A FIFO that nobody writes to is never read to its end.
  for _, file in ipairs { "manifest.json", "main.lua", "lib/words.lua", "locales/en.json" } do
    it("says of a FIFO in the place of " .. file .. " that it is none, and goes on with what was well", function()
      plugin("shop", "fine")
      write("plugins/shop/lib/words.lua", "return {}")
      write("plugins/shop/locales/en.json", "{}")
      says("/shop", "fine")
      local path = s.home .. "/plugins/shop/" .. file
      assert.equal(0, programs.run({ "mkfifo", s.home .. "/fifo" }).code)
      assert(os.rename(s.home .. "/fifo", path)) -- in one step: the watch is to see no plugin without the file
      finally(function() os.remove(path) end) -- before anything else would write there, and wait
      local code, out = s:run "reload"
      assert.equal(78, code, out)
      assert.matches(path .. ": not a regular file", out, 1, true)
      assert.equal("fine", s:say("d", "/shop").body.text)
      assert(os.remove(path))
      plugin("shop", "mended")
      says("/shop", "mended")
    end)
  end

  it("reloads by hand all the same, also while it reloads by itself", function()
    for i = 1, 5 do
      plugin("shop", "by hand " .. i)
      local code, out = s:run "reload"
      assert.equal(0, code, out)
      assert.equal("by hand " .. i, s:say("d", "/shop").body.text)
    end
  end)
end)

describe("a watch", function()
  it("calls once for a save in several steps, and not for what no generation is made of", function()
    local dir = assert(temporary.folder())
    assert(fs.mkdir(dir .. "/shop"))
    local calls, written, quiet = 0, 0, saved.QUIET_S
    saved.QUIET_S = 0.5 -- a machine with other work may stand still between two steps
    finally(function() saved.QUIET_S = quiet end)
    local t = task.spawn(saved.run, { parents = { dir } }, function() calls = calls + 1 end, print)
    task.sleep(0.05)
    local f = assert(io.open(dir .. "/shop/main.lua", "w"))
    for i = 1, 5 do
      f:write("-- " .. i .. "\n")
      f:flush()
      written = i
      task.sleep(0)
    end
    f:close()
    serve.eventually("the call", function() return calls > 0 end)
    saved.QUIET_S = quiet
    task.sleep(0.1)
    assert.same({ 5, 1 }, { written, calls })
    assert(fs.write(dir .. "/shop/notes.txt", "x"))
    assert(fs.write(dir .. "/shop/.main.lua.swp", "x"))
    task.sleep(0.1)
    assert.equal(1, calls)
    assert(fs.mkdir(dir .. "/shop/lib"))
    assert(fs.write(dir .. "/shop/lib/a.lua", "x"))
    serve.eventually("the new folder", function() return calls == 2 end)
    t:cancel()
    temporary.remove(dir)
  end)

  it("is told of what changed while nobody waited, once, and has one who waits", function()
    local dir = assert(temporary.folder())
    local w = require("host.watch").new()
    assert(w:folders { dir, dir .. "/not there" })
    assert(fs.write(dir .. "/a", "x"))
    task.sleep(0.05)
    assert(w:wait(5))
    while w:wait(0.05) do end -- the rest of the same
    local waiting = task.spawn(function() return w:wait(5) end)
    task.sleep(0)
    assert.has_error(function() w:wait(1) end, "another task is waiting for this watch")
    waiting:cancel()
    local ok, err = w:wait(0.01)
    assert.same({ nil, "timeout" }, { ok, err.code })
    assert(w:folders {})
    assert(fs.write(dir .. "/b", "x"))
    assert.is_nil((w:wait(0.05)))
    local closed = task.spawn(function() return select(2, w:wait(5)).code end)
    task.sleep(0)
    w:close()
    assert.equal("closed", select(2, closed:join(60)))
    assert.has_error(function() w:folders {} end)
    temporary.remove(dir)
  end)
end)
