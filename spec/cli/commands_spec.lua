-- What all commands have in common: where output goes, options, mistakes, exit codes.

local command = require "parley.cli.command"
local json = require "host.json"
local main = require "parley.cli.main"
local options = require "parley.cli.options"
local programs = require "spec.support.process"
local support = require "spec.support.host"

-- Every command as the words that name it.
local function all_commands()
  local out = {}
  local function look(path, node)
    for _, c in ipairs(node.commands or {}) do
      local below = { unpack(path) }
      below[#below + 1] = c[1]
      look(below, command.load(below))
    end
    if not node.commands then out[#out + 1] = { path = path, node = node, name = table.concat(path, " ") } end
  end
  look({}, main)
  return out
end

local function run(...) return programs.parley({ ... }) end

-- Wrong usage: code 64, one line on stderr that says all of `patterns`, nothing on stdout.
local function refused(arguments, ...)
  local r = programs.parley(arguments)
  local shown = table.concat(arguments, " ") .. ": " .. r.err
  assert(r.code == 64, shown)
  assert.equal("", r.out)
  assert(r.err:find "^parley: [^\n]+\n$", shown)
  for _, text in ipairs { ... } do assert(r.err:find(text, 1, true), shown) end
end

describe("every command", function()
  for _, c in ipairs(all_commands()) do
    if not c.node.raw then
      it(c.name .. " has help, on stdout, within 100 columns", function()
        local argv = { unpack(c.path) }
        if c.name == "help" then argv[2] = "help" else argv[#argv + 1] = "-h" end
        local r = programs.parley(argv)
        assert.equal(0, r.code)
        assert.equal("", r.err)
        assert.equal(command.help(c.path, c.node), r.out)
        assert.equal("usage: parley " .. c.name, r.out:sub(1, #c.name + 14))
        for line in r.out:gmatch "[^\n]+" do assert(#line <= 100, line) end
      end)

      if not c.node.rest then
        it(c.name .. " refuses an option that it has not, and names one like it", function()
          local argv = { unpack(c.path) }
          argv[#argv + 1] = "--hepl"
          if c.name ~= "help" then refused(argv, c.name .. ": unknown option '--hepl'. Did you mean '--help'?") end
        end)
      end
    end

    for _, option in ipairs(c.node.options or {}) do
      it(("%s --%s has a line in the help that fits"):format(c.name, option.name), function()
        assert.is_string(option.help)
        assert.is_true((option.value or "X"):find "^[%u,]+$" ~= nil)
        if option.default then assert.is_not_nil(option.value) end
      end)
    end
  end
end)

describe("the command line", function()
  it("without a command says what there is, as a mistake", function()
    local r = run()
    assert.equal(64, r.code)
    assert.equal("", r.out)
    assert.matches("^usage: parley COMMAND", r.err)
    r = run "token"
    assert.equal(64, r.code)
    assert.matches("^usage: parley token COMMAND", r.err)
    r = run("token", "--help")
    assert.equal(0, r.code)
    assert.equal("", r.err)
    assert.matches("^usage: parley token COMMAND", r.out)
    assert.equal(r.out, run("help", "token").out)
    assert.equal(run("--version").out, run("version").out)
  end)

  it("names the command that was meant", function()
    refused({ "sevre" }, "there is no command 'sevre'. Did you mean 'serve'?")
    refused({ "migrate", "upp" }, "migrate: there is no command 'upp'. Did you mean 'up'?")
    refused({ "help", "tokn" }, "there is no command 'tokn'. Did you mean 'token'?")
    refused({ "completely-else" }, "there is no command 'completely-else'.")
    refused({ "--home", "x", "status" }, "the command comes before its options, got '--home'")
  end)

  it("names the option, the value, the argument that was meant", function()
    refused({ "status", "-home", "x" }, "status: unknown option '-home'. Did you mean '--home'?")
    refused({ "status", "--home" }, "option '--home' needs a value: DIR")
    refused({ "status", "--home", "--output", "json" }, "option '--home' needs a value: DIR")
    refused({ "status", "-o", "jsno" }, "-o: table or json expected, got 'jsno'. Did you mean 'json'?")
    refused({ "status", "--output=" }, "--output: table or json expected, got ''.")
    refused({ "stop", "--now=yes" }, "option '--now' takes no value")
    refused({ "stop", "--now", "--now" }, "option '--now' is given twice")
    refused({ "stop", "now" }, "'now' is one argument too many")
    refused({ "token", "revoke" }, "token revoke: ID is needed")
    refused({ "token", "create", "--scopes", "admin" }, "option '--kind' is needed: bot, plg, reg or adm")
    refused({ "token", "create", "--kind", "bots" }, "--kind: bot, plg, reg or adm expected, got 'bots'. Did you mean 'bot'?")
    refused({ "token", "create", "--kind", "bot", "--scopes", "dialog:read" },
      "--scopes: there is no scope 'dialog:read'. Did you mean 'dialogs:read'?")
    refused({ "token", "create", "--kind", "bot", "--scopes", "," }, "--scopes: some of dialogs:read,")
    for _, days in ipairs { "0", "-1", "soon", "1e9", "nan" } do
      refused({ "token", "create", "--kind", "bot", "--scopes", "admin", "--expires-days=" .. days },
        "--expires-days: a number from 0.001 to 36500 expected, got '" .. days .. "'")
    end
    refused({ "migrate", "up", "--to", "1.5" }, "--to: a whole number from 0 to 9999 expected, got '1.5'")
    refused({ "migrate", "up", "--to", "99", "--home", support.temp_dir() }, "there is no version 99, the newest is ")
  end)

  it("takes an option however it is written", function()
    local home = support.temp_dir()
    local form = run("token", "list", "--home", home, "-o", "json").out
    assert.equal("[]\n", form)
    for _, written in ipairs { { "-ojson" }, { "--output=json" }, { "--output", "json" } } do
      assert.equal(form, run("token", "list", "--home=" .. home, unpack(written)).out)
    end
    assert.same({ "-x", "--", rest = nil, home = ".parley" },
      options.parse({ options = { options.home }, arguments = { { name = "A", many = true } } }, { "--", "-x", "--" }))
    local o = options.parse({ options = { options.home }, arguments = { { name = "A", needed = true } }, rest = "MORE" },
      { "--home", "h", "a", "-o", "TAP", "--home", "b", "c" })
    assert.is_nil(o) -- ours is known wherever it stands, and given twice
    o = options.parse({ options = { options.home }, arguments = { { name = "A", needed = true } }, rest = "MORE" },
      { "a", "-o", "TAP", "c" })
    assert.same({ "a", home = ".parley", rest = { "-o", "TAP", "c" } }, o)
  end)

  it("makes no home by looking at one", function()
    for _, argv in ipairs { { "token", "list" }, { "token", "revoke", "x" }, { "migrate", "status" } } do
      local home = support.temp_dir() .. "/mistyped"
      argv[#argv + 1] = "--home=" .. home
      local r = programs.parley(argv)
      assert.equal(78, r.code)
      assert.equal(("parley: there is no home %s: parley serve --home %s makes one\n"):format(home, home), r.err)
    end
  end)

  it("does not take lost output for success", function()
    local r = programs.parley({ "version" }, { stdout = "/dev/full" })
    assert.equal(74, r.code)
    assert.matches("^parley: cannot write the output: ", r.err)
  end)

  it("aligns tables by what is seen", function()
    local home = support.temp_dir()
    local function create(label)
      local r = run("token", "create", "--kind", "bot", "--scopes", "admin", "--label", label, "-o", "json", "--home", home)
      return json.decode(r.out)
    end
    local first = create "магазин"
    create "a longer one"
    assert.matches("^prl_bot_" .. first.id .. "_%w+$", first.token)
    local function characters(text) return #text:gsub("[\128-\191]", "") end
    local column, lines = nil, 0
    for line in run("token", "list", "--home", home).out:gmatch "[^\n]+" do
      local at = characters(line) - characters(line:match "%S+$") -- where the last column begins
      column, lines = column or at, lines + 1
      assert.equal(column, at)
    end
    assert.equal(3, lines)
  end)
end)
