-- Every command of the pages is run, as a reader would: from a folder with Parley in it.

local blocks = require "spec.support.doc_blocks"
local command = require "parley.cli.command"
local fs = require "host.fs"
local host = require "spec.support.host"
local process = require "host.process"
local programs = require "spec.support.process"
local temporary = require "parley.util.temporary"

-- A reader's folder: the program under the names that the pages use.
local function folder()
  local dir = assert(temporary.folder())
  assert(fs.mkdir(dir .. "/bin"))
  assert(fs.mkdir(dir .. "/build"))
  for link, target in pairs {
    ["bin/parley"] = programs.EXE, ["build/parley"] = programs.EXE, examples = fs.realpath "examples",
  } do
    assert.equal(0, programs.run({ "ln", "-s", target, dir .. "/" .. link }).code)
  end
  return dir
end

-- How to run a block of a page.
local function shell(dir, text, ports)
  text = text:gsub("tools/run", "build/parley serve")
  if ports then text = text:gsub("127%.0%.0%.1:8080", ports.public):gsub("127%.0%.0%.1:8081", ports.ops) end
  return { "bash", "-ec", text }, {
    cwd = dir, stderr = "stdout", env = {
      PATH = dir .. "/bin:" .. os.getenv "PATH", PARLEY_HTTP_LISTEN = "127.0.0.1:0",
      PARLEY_OPS_LISTEN = "127.0.0.1:0",
    },
  }
end

local function start_server(dir, text)
  local argv, o = shell(dir, text)
  o.argv = argv
  local server = assert(process.spawn(o))
  local public, ops
  local said = ""
  repeat
    local line, err = server:read_line(30)
    assert(line, ("%s: %s\n%s"):format(text, err and err.message, said))
    said = said .. line .. "\n"
    public = public or line:match "listens on http://(%S+)"
    ops = line:match "probes on http://(%S+)"
  until ops
  return server, { public = public, ops = ops }
end

local function check_output(where, block, last, ports)
  local at = 1
  for line in block.text:gmatch "[^\n]+" do
    if ports then line = line:gsub("127%.0%.0%.1:8080", ports.public) end
    local _, to = last.output:find(line, at, true)
    assert(to, ("%s: '%s' is not in what line %d has printed:\n%s"):format(where, line, last.line, last.output))
    at = to + 1
  end
end

local function run(page)
  local dir, server, ports, last = folder(), nil, nil, nil
  for _, block in ipairs(blocks.read(page)) do
    local where = page .. ":" .. block.line
    if block.kind == "file" then
      local path = dir .. "/" .. block.file
      assert(fs.mkdir(path:match "^(.*)/"))
      assert(fs.write(path, block.text))
    elseif block.kind == "server" then
      server, ports = start_server(dir, block.text)
    elseif block.kind == "sh" then
      local r = programs.run(shell(dir, block.text, ports))
      last = { output = r.out, line = block.line }
      assert(r.code == 0, where .. ":\n" .. block.text .. "\n" .. r.out)
    else
      check_output(where, block, last, ports)
    end
  end
  if server then server:close() end
end

describe("the page", function()
  for _, page in ipairs { "quick-start", "plugin-guide", "rest-plugins", "operator-guide", "cli", "http-api", "events" } do
    it("docs/" .. page .. ".md does what it says", function() run("docs/" .. page .. ".md") end)
  end

  it("docs/cli.md has the help of every command", function()
    local page = fs.read "docs/cli.md"
    local function look(path, node)
      for _, c in ipairs(node.commands or {}) do
        local below = { unpack(path) }
        below[#below + 1] = c[1]
        look(below, command.load(below))
      end
      local name = "parley " .. table.concat(path, " ")
      if node.commands then return end
      assert(page:find("\n## " .. name .. "\n", 1, true), name .. " has no section")
      if not node.raw then
        assert(page:find("\n```\n" .. command.help(path, node) .. "```\n", 1, true), name .. ": its help is another")
      end
    end
    look({}, require "parley.cli.main")
  end)

  it("docs/http-api.md has an example of every endpoint, and every code", function()
    local page, examples = fs.read "docs/http-api.md", {}
    for _, block in ipairs(blocks.read "docs/http-api.md") do
      if block.kind == "sh" then examples[#examples + 1] = block.text:gsub("$(%b())", "x") end
    end
    examples = table.concat(examples, "\n")
    local h = host.start()
    for _, route in ipairs(h.core.router.routes) do
      local path = route.path:gsub("[%-.]", "%%%0"):gsub("{[%w_]+}", "[^/%%s]+")
      if not route.hidden then
        assert(examples:find("127%.0%.0%.1:8080" .. path .. '[%s"?\n]'), route.method .. " " .. route.path)
      end
    end
    h:stop()
    for code in pairs(require("parley.http.problem").CODES) do assert(page:find("`" .. code .. "`", 1, true), code) end
  end)

  it("docs/cli.md has every exit code", function()
    local page = fs.read "docs/cli.md"
    for name, code in pairs(require "parley.cli.exit") do
      if type(code) == "number" then assert(page:find(("\n| %d | "):format(code), 1, true), name) end
    end
  end)

  it("README.md links to pages that are there", function()
    local text = fs.read "README.md"
    local n = 0
    for path in text:gmatch "%]%(([%w/._-]+)%)" do
      assert.is_true(fs.exists(path), path)
      n = n + 1
    end
    assert.is_true(n > 5)
  end)
end)
