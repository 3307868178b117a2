-- parley plugin check: everything that a start would refuse, and what it would let pass but no
-- author means.

local bundle = require "parley.plugins.bundle"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local json = require "host.json"
local lint = require "parley.plugins.lint"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

-- "NAME/main.lua:3: message" of the loader, or "DIR/locales/en.json:3: message", as a problem.
local function load_problem(dir, err)
  local path, line, message = err.message:match "^(.-):(%d+): (.*)$"
  local file
  if path and path:sub(1, #dir + 1) == dir .. "/" then
    file = path
  elseif path and path:match "^[^/]+/.+%.lua$" then
    file = dir .. path:match "^[^/]+(/.*)$"
  end
  return {
    file = file or dir .. "/main.lua", line = file and tonumber(line) or 1, severity = "error",
    message = file and message or err.message,
  }
end

local M = {
  about = [[
Says what is wrong with the manifest and the code, with file and line: what a start would refuse,
and what it would let pass but no author means. All of the home's plugins, and those that ship, when
none is named.]],
  arguments = { { name = "PLUGIN", help = "a name, or the path of a folder", many = true } },
  options = { options.home, options.output },
}

---@param dir string
---@return table[] problems {file, line, severity, message}
function M.problems(dir)
  local m, result = manifest.load(dir)
  if not m then
    local problems = {}
    for i, p in ipairs(result) do
      problems[i] = {
        file = p.file, line = p.line, severity = "error", code = p.code,
        message = (p.path ~= "" and p.path .. ": " or "") .. p.message,
      }
    end
    return problems
  end
  local b, err = bundle.read(dir)
  if not b then return { load_problem(dir, err) } end
  if m.transport ~= "lua" then return {} end
  local driver
  driver, err = lua_driver.new(b.manifest, b.files)
  if not driver then return { load_problem(dir, err) } end
  local problems = lint.warnings(dir, b.manifest, driver)
  driver:close()
  return problems
end

local function folders(o)
  local out = {}
  if #o == 0 then
    for _, dir in pairs(find.all(o.home)) do out[#out + 1] = dir end
    table.sort(out)
    return out
  end
  for i, given in ipairs(o) do
    local dir, err = find.one(o.home, given)
    if not dir then return nil, err end
    out[i] = dir
  end
  return out
end

function M.run(o)
  local list, err = folders(o)
  if not list then return exit.failed(err) end
  local problems, errors = json.array(), 0
  for _, dir in ipairs(list) do
    for _, p in ipairs(M.problems(dir)) do
      problems[#problems + 1] = p
      if p.severity == "error" then errors = errors + 1 end
    end
  end
  if o.output == "json" then
    output.json(problems)
  else
    for _, p in ipairs(problems) do io.stdout:write(lint.line(p)) end
    io.stdout:flush() -- before the summary, where both go the same way
    local function count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end
    io.stderr:write(("%s checked: %s, %s\n"):format(count(#list, "plugin"), count(errors, "error"),
      count(#problems - errors, "warning")))
  end
  return errors > 0 and exit.CONFIG or exit.DONE
end

return M
