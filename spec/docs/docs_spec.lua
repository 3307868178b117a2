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

-- The server that the page about PostgreSQL is tried on: that of tools/with-postgres, whose administrator psql is.
local POSTGRES = fs.getenv "PARLEY_SPEC_POSTGRES_URL" or ""
local POSTGRES_DIR, POSTGRES_PORT = POSTGRES:match "host=([^&]+)&port=(%d+)"

-- How to run a block of a page.
local function shell(dir, text, ports)
  text = text:gsub("tools/run", "build/parley serve"):gsub("127%.0%.0%.1:5432", "127.0.0.1:" .. (POSTGRES_PORT or 0))
  if ports then text = text:gsub("127%.0%.0%.1:8080", ports.public):gsub("127%.0%.0%.1:8081", ports.ops) end
  text = text:gsub("127%.0%.0%.1:8443", ports and ports.secure or "127.0.0.1:0")
  return { "bash", "-ec", text }, {
    cwd = dir, stderr = "stdout", env = {
      PATH = dir .. "/bin:" .. os.getenv "PATH", PARLEY_HTTP_LISTEN = "127.0.0.1:0",
      PARLEY_OPS_LISTEN = "127.0.0.1:0", PGHOST = POSTGRES_DIR, PGPORT = POSTGRES_PORT, PGUSER = "parley",
    },
  }
end

local function start_server(dir, text)
  local argv, o = shell(dir, text)
  o.argv = argv
  local server = assert(process.spawn(o))
  local public, secure, ops
  local said = ""
  repeat
    local line, err = server:read_line(30)
    assert(line, ("%s: %s\n%s"):format(text, err and err.message, said))
    said = said .. line .. "\n"
    public = public or line:match "listens on http://(%S+)"
    secure = secure or line:match "over TLS on https://(%S+)"
    ops = line:match "probes on http://(%S+)"
  until ops
  return server, { public = public, secure = secure, ops = ops }
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
  for _, page in ipairs {
    "quick-start", "plugin-guide", "rest-plugins", "operator-guide", "cli", "http-api", "events", "operate/backup",
    "operate/deploy", "operate/tls", "operate/broadcasts", "operate/dead-letters", "telegram-simulator", "sandbox",
  } do
    it("docs/" .. page .. ".md does what it says", function() run("docs/" .. page .. ".md") end)
  end

  it("docs/operate/postgresql.md does what it says", function()
    assert(POSTGRES_PORT, "PARLEY_SPEC_POSTGRES_URL is not set: tools/test starts a server")
    local good, err = pcall(run, "docs/operate/postgresql.md")
    local r = programs.run(shell(".", [[psql -q -d postgres -c "DROP DATABASE IF EXISTS parley_app WITH (FORCE)" \
      -c "DROP ROLE IF EXISTS parley_app"]]))
    assert(good, err)
    assert.equal(0, r.code)
  end)

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

  it("docs/operator-guide.md has every setting, and the variable that overrides it", function()
    local page, keys = fs.read "docs/operator-guide.md", 0
    local source = fs.read("lua/parley/config.lua"):match "\nlocal KEYS = {\n(.-)\n}\n"
    for key in ("\n" .. source):gmatch "\n  ([%l_]+) = {" do
      assert(page:find("\n| [^|]*`" .. key .. "[`.]"), key)
      keys = keys + 1
    end
    assert.is_true(keys > 20)
    for name in source:gmatch 'env = "([%u_]+)"' do assert(page:find("`" .. name .. "`", 1, true), name) end
  end)

  it("docs/cli.md has every exit code", function()
    local page = fs.read "docs/cli.md"
    for name, code in pairs(require "parley.cli.exit") do
      if type(code) == "number" then assert(page:find(("\n| %d | "):format(code), 1, true), name) end
    end
  end)

  -- The anchors that a page's headings have where it is read.
  local function anchors(path)
    local out = {}
    for title in ("\n" .. fs.read(path)):gmatch "\n#+ ([^\n]+)" do
      out[title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")] = true
    end
    return out
  end

  it("README.md and the pages link to what is there", function()
    local pages, n = { "README.md" }, 0
    for _, dir in ipairs { "docs", "docs/operate" } do
      for _, name in ipairs(assert(fs.list(dir))) do
        if name:find "%.md$" then pages[#pages + 1] = dir .. "/" .. name end
      end
    end
    for _, page in ipairs(pages) do
      for link in fs.read(page):gsub("```.-```", ""):gmatch "%]%(([^)%s]+)%)" do
        local path, anchor = link:match "^([^#]*)#?(.*)$"
        if not path:find "^%l+:" then
          path = path == "" and page or (page:match "^(.*/)" or "") .. path
          assert(fs.exists(path), page .. ": " .. link)
          assert(anchor == "" or anchors(path)[anchor], page .. ": " .. link)
          n = n + 1
        end
      end
    end
    assert.is_true(n > 20)
  end)
end)
