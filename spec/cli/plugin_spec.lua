local fs = require "host.fs"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local temporary = require "parley.util.temporary"

describe("parley plugin", function()
  local home
  before_each(function() home = assert(temporary.folder()) end)

  -- The words of `parley plugin ARGUMENTS`.
  local function words(arguments)
    local list = { "plugin" }
    for word in arguments:gmatch "%S+" do list[#list + 1] = word end
    list[#list + 1] = "--home=" .. home
    return list
  end
  local function run(arguments, input)
    local r = programs.parley(words(arguments), { input = input })
    return r.code, r.out, r.err
  end

  local function write(name, files)
    for file, text in pairs(files) do
      local path = home .. "/plugins/" .. name .. "/" .. file
      assert(fs.mkdir(path:match "^(.*)/"))
      assert(fs.write(path, text))
    end
  end

  local MANIFEST = [[{ "schema": "v1alpha", "name": "mine", "version": "1.0.0", "api": "1", "transport": "lua",
  "commands": [{ "name": "mine" }] }]]

  it("makes a plugin that passes its own check and its own specs", function()
    local code, out, err = run "new greeter"
    assert.equal(0, code, err)
    assert.equal(home .. "/plugins/greeter\n", out)
    assert.matches("\n  parley plugin run greeter %-%-home " .. home:gsub("%p", "%%%0") .. "  +# talk to it", err)
    code, out, err = run "check greeter"
    assert.equal("0 1 plugin checked: 0 errors, 0 warnings\n", code .. out .. " " .. err)
    code, out = run "test greeter"
    assert.equal(0, code)
    assert.matches("3 successes / 0 failures / 0 errors", out)
    code, out, err = run("run greeter", "/greeter\n1\n")
    assert.equal(0, code)
    assert.equal("Hello, friend! This is your first visit.\n  [1] Again\nHello, friend! This is visit 2.\n  [1] Again\n", out)
    assert.matches("plugin greeter · [%d.]+ ms", err)
  end)

  it("hands over every file of the template, the definitions for editors among them", function()
    assert.equal(0, (run "new once"))
    local function files(dir)
      return programs.run({ "sh", "-c", "find . -type f | sort" }, { cwd = dir }).out
    end
    local made = files(home .. "/plugins/once")
    local expected = {}
    for line in (files("templates/hello"):gsub("NAME", "once") .. files "templates/editor"):gmatch "[^\n]+" do
      expected[#expected + 1] = line
    end
    table.sort(expected)
    assert.equal(table.concat(expected, "\n") .. "\n", made)
    assert.matches("types/context.lua", made, 1, true)
    assert.equal(fs.read "templates/editor/types/context.lua", fs.read(home .. "/plugins/once/types/context.lua"))
  end)

  for _, template in ipairs { "form", "api", "llm" } do
    it("makes one of the template " .. template .. " that passes its own check and its own specs", function()
      assert.equal(0, (run("new mine --template " .. template)))
      local code, out, err = run "check mine"
      assert.equal("0 1 plugin checked: 0 errors, 0 warnings\n", code .. out .. " " .. err)
      code, out = run "test mine"
      assert.equal(0, code, out)
      assert.matches("/ 0 failures / 0 errors", out)
    end)
  end

  for template, script in pairs { ["rest-python"] = "plugin.py", ["rest-node"] = "plugin.mjs" } do
    it("makes one of the template " .. template .. " that passes every check of the host", function()
      assert.equal(0, (run("new mine --template " .. template)))
      local dir = home .. "/plugins/mine/"
      local secret = fs.read(dir .. "README.md"):match "whsec_[%w+/]+=*"
      local server = python.start(dir .. script .. " 0", { PARLEY_SIGNING_SECRET = secret })
      local r = programs.parley({ "conformance", "http://127.0.0.1:" .. server.port }, {
        env = { PARLEY_SIGNING_SECRET = secret }, stderr = "stdout",
      })
      server:stop()
      assert.equal(0, r.code, r.out)
    end)
  end

  it("has definitions for editors that parley types brings up to date, and settings that it leaves alone", function()
    assert.equal(0, (run "new mine"))
    local dir = home .. "/plugins/mine/"
    assert(fs.write(dir .. "types/context.lua", "-- of long ago\n"))
    assert(fs.write(dir .. ".luarc.json", "{}\n"))
    local r = programs.parley { "types", dir }
    assert.equal(0, r.code)
    assert.equal(fs.read "templates/editor/types/context.lua", fs.read(dir .. "types/context.lua"))
    assert.equal("{}\n", fs.read(dir .. ".luarc.json"))
    assert.equal(64, programs.parley({ "types", dir .. "main.lua" }).code)
  end)

  it("makes a REST plugin whose README has a new secret", function()
    assert.equal(0, (run "new far_away --template rest"))
    local readme = fs.read(home .. "/plugins/far_away/README.md")
    assert.matches('secret "FAR_AWAY_SIGNING_SECRET", %-%- whsec_[%w+/]+=*\n', readme)
    assert.equal(0, (run "check far_away"))
  end)

  it("makes nothing over what is there, nor under a name that is none", function()
    assert.equal(0, (run "new once"))
    for args, pattern in pairs {
      ["new once"] = "is there already", ["new echo"] = "there is a plugin 'echo' already", ["new X"] = "is no name for a plugin",
      ["new a-b"] = "is no name", ["new ../up"] = "is no name", ["new"] = "NAME is needed",
      ["new a_b --template python"] = "hello, form, api, llm, rest, rest%-python or rest%-node expected",
      ["nwe a_b"] = "there is no command 'nwe'%. Did you mean 'new'",
    } do
      local code, out, err = run(args)
      assert.equal(64, code)
      assert.equal("", out)
      assert.matches(pattern, err)
    end
  end)

  it("checks, as JSON, a folder whose name is no UTF-8", function()
    write("mine\239", { ["manifest.json"] = MANIFEST })
    local code, out, err = run "check -o json"
    assert.equal(78, code, err)
    assert.matches("name: the folder is 'mine?', the name 'mine'", json.decode(out)[1].message, 1, true)
  end)

  it("checks: every problem with its file and line", function()
    write("mine", {
      ["manifest.json"] = MANIFEST, ["main.lua"] = "local p = parley.plugin()\n\np.on.command('mine' function() end)\nreturn p\n",
    })
    local code, out = run "check mine"
    assert.equal(78, code)
    assert.matches("plugins/mine/main.lua:3: error: ", out)
    write("mine", {
      ["main.lua"] = "local p = parley.plugin()\np.on.command('other', function() end)\nreturn p\n",
      ["locales/en.json"] = '{ "a": "b" }', ["locales/uk.json"] = "{}",
    })
    code, out = run "check mine"
    assert.equal(0, code)
    assert.matches("manifest.json:1: warning: commands%[0%]: main.lua has no p.on.command%(\"mine\"", out)
    assert.matches("main.lua:1: warning: p.on.command%(\"other\"", out)
    assert.matches("locales/uk.json:1: warning: 'a' is missing; en.json has it", out)
    local bad = MANIFEST:gsub('"mine" }%]', '"mine" }],\n  "limits": { "cpu": 5 }, "permissions": ["kvv"]')
    write("mine", { ["manifest.json"] = bad })
    code, out = run "check mine -o json"
    assert.equal(78, code)
    local list = json.decode(out)
    assert.equal(2, #list)
    for _, p in ipairs(list) do
      assert.equal("error", p.severity)
      assert.equal(3, p.line)
    end
  end)

  it("checks the plugins that ship without a complaint", function()
    local code, out, err = run "check"
    assert.equal(0, code)
    assert.equal("", out)
    assert.matches("^5 plugins checked: 0 errors, 0 warnings", err)
  end)

  it("says which plugin it does not find", function()
    for _, command in ipairs { "check", "test", "run" } do
      local code, _, err = run(command .. " ecoh")
      assert.equal(78, code)
      assert.matches("there is no plugin 'ecoh'.*Did you mean 'echo'", err)
    end
    write("mine", { ["manifest.json"] = MANIFEST, ["main.lua"] = "local p = parley.plugin() return p" })
    local code, _, err = run "test mine"
    assert.equal(1, code)
    assert.matches("has no spec/: nothing was tested", err)
  end)

  it("talks to a plugin alone, and says at a terminal what it has", function()
    assert.equal(0, (run "new other"))
    assert.equal(0, (run "new mine"))
    local _, out = run("run mine", "/other\nsay hello to other\n")
    assert.is_nil(out:find("first visit", 1, true), out)
    _, out = run("run mine --all", "/other\n")
    assert.matches("This is your first visit", out)
    local p = assert(process.spawn {
      argv = { "python3", "spec/support/terminal.py", programs.EXE, unpack(words "run mine") }, stdin = "pipe",
      env = { LC_ALL = "C", TERM = "xterm" },
    })
    local line
    repeat line = assert(p:read_line(60)) until line:find "Try"
    assert.matches('Try /mine, "say hello to mine"', line)
    p:close_stdin()
    p:wait(60)
  end)

  it("reloads the plugin that runs when it is saved, or keeps it and says why", function()
    write("mine", {
      ["manifest.json"] = MANIFEST,
      ["main.lua"] = [[
local p = parley.plugin()
p.on.command("mine", function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply("one " .. c.session.n)
end)
return p
]],
    })
    local main = home .. "/plugins/mine/main.lua"
    local p = assert(process.spawn { argv = { programs.EXE, unpack(words "run mine") }, stdin = "pipe" })
    local function say(text)
      p:write(text .. "\n", 60)
      return p:read_line(60)
    end
    local function next_note()
      local line
      repeat line = assert(p:read_err_line(10)) until not line:find "^plugin mine" and not line:find "^{" -- the trace, the log
      return line
    end
    assert.equal("one 1", say "/mine")
    assert(fs.write(main, (fs.read(main):gsub("one", "second"))))
    assert.equal("mine has changed and is reloaded.", next_note())
    assert.equal("second 2", say "/mine") -- in the same dialog
    local good = fs.read(main)
    assert(fs.write(main, "oh no("))
    assert.equal("mine has changed, but the version before stays:", next_note())
    assert.matches("main.lua:1:", next_note())
    assert.equal("second 3", say "/mine")
    assert(fs.write(main, (good:gsub("second", "third"))))
    assert.equal("mine has changed and is reloaded.", next_note())
    assert.equal("third 4", say "/mine")
    p:close_stdin()
    assert.same({ code = 0 }, p:wait(60))
  end)

  it("shows its prompt again below what it says by itself", function()
    write("mine", {
      ["manifest.json"] = MANIFEST,
      ["main.lua"] = "local p = parley.plugin()\np.on.command('mine', function(c) c:reply 'one' end)\nreturn p\n",
    })
    local p = assert(process.spawn {
      argv = { "python3", "spec/support/terminal.py", programs.EXE, unpack(words "run mine") }, stdin = "pipe",
      env = { LC_ALL = "C", NO_COLOR = "1" },
    })
    local seen = ""
    local function await(text)
      while not seen:find(text, 1, true) do
        local byte, err = p:read(1, 20)
        assert(byte, ("'%s' was not shown, but: %s"):format(text, seen) .. (err and err.message or ""))
        seen = seen .. byte
      end
      seen = ""
    end
    await "> "
    assert(p:write("/mine\n", 60)) -- by then it watches the folder
    await "one\r\n"
    await "> "
    assert(fs.write(home .. "/plugins/mine/main.lua",
      "local p = parley.plugin()\np.on.command('mine', function(c) c:reply 'two' end)\nreturn p\n"))
    await "mine has changed and is reloaded.\r\n> "
    assert(p:write("/mine\n", 60))
    await "two\r\n"
    p:close()
  end)
end)

describe("the test kit", function()
  local kit = require "parley.testkit"

  it("owns the time", function()
    local bot = kit.start { dir = "plugins/reminder" }
    assert.matches("^I will remind you", bot:say("/remind tea in 10 minutes").text)
    assert.equal("ring", bot:jobs()[1].job)
    assert.is_true(bot:jobs()[1].seconds > 590)
    assert.same({}, bot:advance(300))
    local replies = bot:advance(301)
    assert.equal(1, #replies)
    assert.equal("⏰ tea", replies[1].text)
    assert.matches("^I will remind you", bot:press("In 10 minutes").text)
    assert.equal("⏰ tea", bot:advance(601)[1].text)
    bot:stop()
    assert.is_false(fs.exists(bot.home))
  end)

  it("gives settings, languages, and says what went wrong", function()
    assert.has_error(function() kit.start { dir = "plugins/reminder", config = { utc_offset = "sideways" } } end)
    local bot = kit.start { dir = "plugins/reminder", config = { utc_offset = "+03:00" }, locale = "ru" }
    assert.matches("^Напомню в %d%d:%d%d: чай$", bot:say("/remind чай через 5 минут").text)
    assert.is_nil(bot:last_error())
    bot:stop()
    bot = kit.start { dir = "plugins/faq", config = { answers = { ["faq.data"] = "Here." } } }
    assert.equal(3, #bot:say("/faq").buttons)
    assert.equal("Here.", bot:press(1).text)
    assert.has_error(function() bot:press "nothing" end,
      "there is no button 'nothing'; there are: 'Here.', 'What is Parley?', 'How do I write a plugin?'")
    assert.has_error(function() bot:say(("x"):rep(20000)) end, "/text: at most 16384 characters")
    bot:stop()
  end)
end)
