-- Every command of the pages is run, as a reader would: from a folder with Parley in it.

local blocks = require "spec.support.doc_blocks"
local fs = require "host.fs"
local serve = require "spec.support.serve"
local temporary = require "parley.util.temporary"

local ROOT = fs.realpath "."
local BUILD = fs.realpath("/proc/self/exe"):match "^(.*)/[^/]*$"

-- A reader's folder: the program under the names that the pages use.
local function folder()
  local dir = assert(temporary.folder())
  assert(os.execute(("cd %s && mkdir bin build && ln -s %s/parley bin/parley && ln -s %s/parley build/parley "
    .. "&& ln -s %s/examples examples"):format(dir, BUILD, BUILD, ROOT)) == 0)
  return dir
end

local function script(dir, text, ports)
  text = text:gsub("tools/run", "build/parley serve")
  if ports then text = text:gsub("127%.0%.0%.1:8080", ports.public):gsub("127%.0%.0%.1:8081", ports.ops) end
  local path = dir .. "/script"
  assert(fs.write(path, text))
  return ("cd %s && PATH=%s/bin:$PATH bash -e %s"):format(dir, dir, path)
end

local function start_server(dir, text)
  os.execute(("(PARLEY_HTTP_LISTEN=127.0.0.1:0 PARLEY_OPS_LISTEN=127.0.0.1:0 %s) >%s/out 2>%s/err </dev/null &")
    :format(script(dir, text), dir, dir))
  local greeting = serve.eventually("the server", function()
    local out = fs.read(dir .. "/out") or ""
    return out:find "metrics and probes on" and out
  end)
  return { public = greeting:match "listens on http://(%S+)", ops = greeting:match "probes on http://(%S+)" }
end

local function run(page)
  local dir, ports, output, last = folder(), nil, nil, nil
  for _, block in ipairs(blocks.read(page)) do
    local where = page .. ":" .. block.line
    if block.kind == "file" then
      local path = dir .. "/" .. block.file
      assert(fs.mkdir(path:match "^(.*)/"))
      assert(fs.write(path, block.text))
    elseif block.kind == "server" then
      ports = start_server(dir, block.text)
    elseif block.kind == "sh" then
      local pipe = io.popen(script(dir, block.text, ports) .. " 2>&1; echo \"code $?\"")
      output = pipe:read "*a"
      pipe:close()
      last = where
      assert(output:match "code 0\n$", where .. ":\n" .. block.text .. "\n" .. output)
    else
      local at = 1
      for line in block.text:gmatch "[^\n]+" do
        if ports then line = line:gsub("127%.0%.0%.1:8080", ports.public) end
        local _, to = output:find(line, at, true)
        assert(to, ("%s: '%s' is not in what %s has printed:\n%s"):format(where, line, last, output))
        at = to + 1
      end
    end
  end
  if ports then os.execute(("%s/bin/parley stop --home %s/.parley --now 2>/dev/null"):format(dir, dir)) end
end

describe("the page", function()
  for _, page in ipairs { "quick-start", "plugin-guide", "rest-plugins", "operator-guide" } do
    it("docs/" .. page .. ".md does what it says", function() run("docs/" .. page .. ".md") end)
  end

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
