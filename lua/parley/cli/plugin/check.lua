-- parley plugin check: everything that a start would refuse, and what it would let pass but no
-- author means.

local bundle = require "parley.plugins.bundle"
local cli = require "parley.cli.main"
local find = require "parley.cli.plugin.find"
local home = require "parley.cli.home"
local json = require "host.json"
local lua_driver = require "parley.plugins.lua_driver"
local manifest = require "parley.plugins.manifest"

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
  local base = o.home or home.DEFAULT
  if #o == 0 then
    local out = {}
    for _, dir in pairs(find.all(base)) do out[#out + 1] = dir end
    table.sort(out)
    return out
  end
  local out = {}
  for i, given in ipairs(o) do
    local dir, err = find.one(base, given)
    if not dir then return nil, err end
    out[i] = dir
  end
  return out
end

return function(...)
  local o, problem = cli.options({ ... }, { home = "value", o = "value" })
  if not o then return cli.usage(problem) end
  local list, err = folders(o)
  if not list then return cli.failed(err) end
  local problems, errors = json.array(), 0
  for _, dir in ipairs(list) do
    for _, p in ipairs(check(dir)) do
      problems[#problems + 1] = p
      if p.severity == "error" then errors = errors + 1 end
    end
  end
  if o.o == "json" then
    io.stdout:write(json.encode(problems, { sorted = true }), "\n")
  else
    for _, p in ipairs(problems) do
      io.stdout:write(("%s:%d: %s: %s\n"):format(p.file, p.line, p.severity, p.message))
    end
    io.stderr:write(("%d plugins checked: %d errors, %d warnings\n"):format(#list, errors,
      #problems - errors))
  end
  return errors > 0 and 78 or 0
end
