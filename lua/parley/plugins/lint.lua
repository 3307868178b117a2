-- What a start lets pass in a plugin but no author means: `parley check` and `parley plugin check`
-- warn of it.

local locales = require "parley.plugins.locales"

local M = {}

---@class parley.Warning
---@field file string
---@field line integer
---@field severity "warning"
---@field message string

-- What the manifest promises and the code registers must be the same.
local function check_handlers(warn, m, driver)
  local registered = driver:describe()
  if not registered then return end
  local handled, declared = {}, {}
  for _, name in ipairs(registered.command or {}) do handled[name] = true end
  for i, command in ipairs(m.commands) do
    declared[command.name] = true
    if #command.name > 32 then
      warn("manifest.json", 1, "commands[%d]: Telegram shows no command of more than 32 characters",
        i - 1)
    end
    if not handled[command.name] then
      warn("manifest.json", 1, "commands[%d]: main.lua has no p.on.command(\"%s\", ...)", i - 1,
        command.name)
    end
  end
  for name in pairs(handled) do
    if not declared[name] then
      warn("main.lua", 1, "p.on.command(\"%s\", ...): manifest.json does not name this command, so "
        .. "it never comes", name)
    end
  end
end

-- Menus written out in c:menu "name", or in the buttons of others, that p.menu does not make.
local function check_menus(warn, known, file, source)
  local number = 0
  for line in (source .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    line = line:gsub("%-%-.*", "")
    local function check(name)
      if not known[name] then warn(file, number, "there is no p.menu(\"%s\", ...)", name) end
    end
    line:gsub("%f[%w_][%w_]+:menu%s*%(?%s*[\"']([%w_.]+)[\"']", check)
    line:gsub("%f[%w_]menu%s*=%s*[\"']([%w_.]+)[\"']", check)
    line:gsub("%f[%w_]back%s*=%s*[\"']([%w_.]+)[\"']", check)
  end
end

-- Keys written out in c:t("key") or c:t "key" that no language has. Keys that the code puts
-- together cannot be known here.
local function check_keys(warn, texts, file, source)
  local number = 0
  for line in (source .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    line = line:gsub("%-%-.*", "")
    for key, after in line:gmatch "%f[%w_][%w_]+:t%s*%(?%s*[\"']([^\"'\\]+)[\"']()" do
      if not line:find("^%s*%.%.", after) and not locales.has(texts, key) then
        warn(file, number, "'%s' is in no locales/*.json, so users read the key", key)
      end
    end
  end
end

---The warnings about a plugin that has been loaded.
---@param dir string its folder
---@param m table its manifest, with the texts of its locales
---@param driver table
---@return parley.Warning[] in the order of files and lines
function M.warnings(dir, m, driver)
  local out = {}
  if m.transport ~= "lua" then return out end
  local function warn(file, line, fmt, ...)
    out[#out + 1] = {
      file = dir .. "/" .. file, line = line, severity = "warning", message = fmt:format(...),
    }
  end
  check_handlers(warn, m, driver)
  locales.missing(m.locales_data, function(locale, message)
    warn("locales/" .. locale .. ".json", 1, "%s", message)
  end)
  local menus = {}
  for _, name in ipairs((driver:describe() or {}).menu or {}) do menus[name] = true end
  local function check(file, source)
    check_keys(warn, m.locales_data, file, source)
    if next(menus) then check_menus(warn, menus, file, source) end
  end
  check("main.lua", driver.files.main)
  for name, source in pairs(driver.files.lib) do check("lib/" .. name .. ".lua", source) end
  table.sort(out, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    return a.message < b.message
  end)
  return out
end

---A problem as one line of text.
---@param p {file: string, line: integer, severity: string, message: string}
---@return string
function M.line(p)
  return ("%s:%d: %s: %s\n"):format(p.file, p.line, p.severity, p.message)
end

return M
