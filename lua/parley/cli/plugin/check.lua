-- parley plugin check: everything that a start would refuse, and what it would let pass but no
-- author means.

local bundle = require "parley.plugins.bundle"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local json = require "host.json"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"
local options = require "parley.cli.options"
local output = require "parley.cli.output"

-- "main.lua:3: message" of the loader, as a problem.
local function code_problem(dir, err)
  local file, line, message = err.message:match "^[^/:]+/([^:]+%.lua):(%d+): (.*)$"
  return {
    file = dir .. "/" .. (file or "main.lua"), line = tonumber(line) or 1, severity = "error",
    message = message or err.message,
  }
end

local function warn(list, file, fmt, ...)
  list[#list + 1] = { file = file, line = 1, severity = "warning", message = fmt:format(...) }
end

-- Texts that one language has and another lacks.
local function check_locales(list, dir, locales)
  for name in pairs(locales) do
    for other, texts in pairs(locales) do
      for key in pairs(texts) do
        if other ~= name and locales[name][key] == nil then
          warn(list, ("%s/locales/%s.json"):format(dir, name), "'%s' is missing; %s.json has it",
            key, other)
        end
      end
    end
  end
end

-- What the manifest promises and the code registers must be the same.
local function check_handlers(list, dir, m, driver)
  local registered = driver:describe()
  if not registered then return end
  local handled = {}
  for _, name in ipairs(registered.command or {}) do handled[name] = true end
  local declared = {}
  for i, command in ipairs(m.commands) do
    declared[command.name] = true
    if not handled[command.name] then
      warn(list, dir .. "/manifest.json", "commands[%d]: main.lua has no p.on.command(\"%s\", ...)",
        i - 1, command.name)
    end
  end
  for name in pairs(handled) do
    if not declared[name] then
      warn(list, dir .. "/main.lua", "p.on.command(\"%s\", ...): manifest.json does not name this "
        .. "command, so it never comes", name)
    end
  end
end

---@param dir string
---@return table[] problems {file, line, severity, message}
local function check(dir)
  local problems = {}
  local m, result = manifest.load(dir)
  if not m then
    for i, p in ipairs(result) do
      problems[i] = {
        file = p.file, line = p.line, severity = "error", code = p.code,
        message = (p.path ~= "" and p.path .. ": " or "") .. p.message,
      }
    end
    return problems
  end
  local b, err = bundle.read(dir)
  if not b then return { code_problem(dir, err) } end
  if m.transport ~= "lua" then return problems end
  local driver
  driver, err = lua_driver.new(b.manifest, b.files)
  if not driver then return { code_problem(dir, err) } end
  check_handlers(problems, dir, b.manifest, driver)
  check_locales(problems, dir, b.manifest.locales_data)
  driver:close()
  table.sort(problems, function(a, c) return a.file .. a.message < c.file .. c.message end)
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

local M = {
  about = [[
Says what is wrong with the manifest and the code, with file and line: what a start would refuse,
and what it would let pass but no author means. All of the home's plugins, and those that ship, when
none is named.]],
  arguments = { { name = "PLUGIN", help = "a name, or the path of a folder", many = true } },
  options = { options.home, options.output },
}

function M.run(o)
  local list, err = folders(o)
  if not list then return exit.failed(err) end
  local problems, errors = json.array(), 0
  for _, dir in ipairs(list) do
    for _, p in ipairs(check(dir)) do
      problems[#problems + 1] = p
      if p.severity == "error" then errors = errors + 1 end
    end
  end
  if o.output == "json" then
    output.json(problems)
  else
    for _, p in ipairs(problems) do
      io.stdout:write(("%s:%d: %s: %s\n"):format(p.file, p.line, p.severity, p.message))
    end
    io.stdout:flush() -- before the summary, where both go the same way
    io.stderr:write(("%d plugins checked: %d errors, %d warnings\n"):format(#list, errors,
      #problems - errors))
  end
  return errors > 0 and exit.CONFIG or exit.DONE
end

return M
