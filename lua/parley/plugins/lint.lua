-- What a start lets pass in a plugin but no author means: `parley check` and `parley plugin check`
-- warn of it.

local fs = require "host.fs"
local lint_globals = require "parley.plugins.lint_globals"
local lint_names = require "parley.plugins.lint_names"
local locales = require "parley.plugins.locales"

local M = {}

---@class parley.Warning
---@field file string
---@field line integer
---@field severity "warning"
---@field message string

local function line_of(text, word)
  local at = text:find(word, 1, true)
  return at and select(2, text:sub(1, at):gsub("\n", "")) + 1 or 1
end

-- What the manifest promises and the code registers must be the same.
local function check_handlers(warn, m, registered)
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

-- An intent by one name in the manifest and by another in the code: the plugin is chosen, and has
-- nothing to say.
local function check_intents(warn, m, registered, manifest_text)
  local handled, declared = {}, {}
  for _, name in ipairs(registered.intent or {}) do handled[name] = true end
  for _, intent in ipairs(m.intents) do declared[intent.name] = true end
  for name in pairs(declared) do
    if not handled[name] and not registered.any and #(registered.text or {}) == 0 then
      warn("manifest.json", line_of(manifest_text, '"' .. name .. '"'),
        "intents: main.lua has no p.on.intent(\"%s\", ...)%s", name, lint_names.hint(name, handled))
    end
  end
  for name in pairs(handled) do
    if not declared[name] then
      warn("main.lua", 1, "p.on.intent(\"%s\", ...): manifest.json does not name this intent, so "
        .. "it never comes%s", name, lint_names.hint(name, declared))
    end
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

-- What code looks like that needs a permission. A plugin that hides it well is told at run time.
local USES = {
  { "kv", "%f[%w_][%w_]+%.kv:%l+" },
  { "http:HOST", "%f[%w_][%w_]+%.http:%l+" },
  { "llm:chat", "%f[%w_][%w_]+%.llm:chat" },
  { "files", "%f[%w_][%w_]+%.files:%l+" },
  { "files", "%f[%w_][%w_]+:download%f[^%w_]" },
  { "history", "%f[%w_][%w_]+:history%f[^%w_]" },
  { "notify", "%f[%w_][%w_]+:notify%f[^%w_]" },
  { "telegram", "%f[%w_][%w_]+:ask_telegram%f[^%w_]" },
  { "telegram", "%f[%w_][%w_]+:telegram%f[^%w_]" },
  { "jobs", "%f[%w_][%w_]+:schedule%f[^%w_]" },
  { "jobs", "%f[%w_][%w_]+:every%f[^%w_]" },
  { "jobs", "%f[%w_][%w_]+:unschedule%f[^%w_]" },
  { "jobs", "%f[%w_][%w_]+:scheduled%f[^%w_]" },
  { "events", "%f[%w_][%w_]+:emit%f[^%w_]" },
}

local function kind_of(permission) return permission:find "^http:" and "http:HOST" or permission end

-- The first use of each permission, as {permission -> file, line, what}.
local function note_uses(uses, file, source)
  local number = 0
  for line in (source .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    line = line:gsub("%-%-.*", "")
    for _, use in ipairs(USES) do
      local what = line:match("(" .. use[2] .. ")")
      if what and not uses[use[1]] then
        uses[use[1]] = { file = file, line = number, what = what }
      end
    end
  end
end

-- Permissions that the code needs and the manifest does not have, and the other way round: what is
-- not needed is what an operator would not have to allow.
local function check_permissions(warn, m, uses, manifest_text)
  local declared, known = {}, {}
  for _, use in ipairs(USES) do known[use[1]] = true end
  for _, permission in ipairs(m.permissions) do
    local kind = kind_of(permission)
    declared[kind] = true
    if known[kind] and not uses[kind] then
      warn("manifest.json", line_of(manifest_text, '"' .. permission .. '"'),
        "permissions: '%s' is not used", permission)
    end
  end
  for kind, use in pairs(uses) do
    if not declared[kind] then
      warn(use.file, use.line, "%s needs the permission '%s': add it to \"permissions\" in "
        .. "manifest.json", use.what, kind)
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
  local registered = driver:describe() or {}
  local manifest_text = fs.read(dir .. "/manifest.json") or ""
  check_handlers(warn, m, registered)
  check_intents(warn, m, registered, manifest_text)
  locales.missing(m.locales_data, function(locale, message)
    warn("locales/" .. locale .. ".json", 1, "%s", message)
  end)
  local uses, check_names = {}, lint_names.checker(warn, m, registered)
  local function check(file, source)
    check_keys(warn, m.locales_data, file, source)
    note_uses(uses, file, source)
    check_names(file, source)
    lint_globals.each(source, function(line, name)
      warn(file, line, "global '%s' is not declared: use 'local %s'", name, name)
    end)
  end
  check("main.lua", driver.files.main)
  for name, source in pairs(driver.files.lib) do check("lib/" .. name .. ".lua", source) end
  check_permissions(warn, m, uses, manifest_text)
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
