-- manifest.json: read, checked whole, defaults filled. Every problem names its line.

local adapter = require "parley.schema.adapter"
local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"
local json_lines = require "parley.util.json_lines"
local fields = require "parley.plugins.manifest_fields"
local order = require "parley.plugins.order"
local text = require "parley.nlu.text"

local M = {}

M.LIMITS = fields.LIMITS
local MAX_BYTES = 256 * 1024

---@class parley.Problem
---@field path string `limits.cpu_ms`, `intents[0].name`; "" is the document
---@field code string stable
---@field message string
---@field line integer
---@field file string

-- Collects problems in the order of their lines.
local function collector(file, line_of)
  local problems = {}
  local function report(path, code, fmt, ...)
    problems[#problems + 1] = {
      path = path, code = code, message = fmt:format(...), line = line_of(path), file = file,
    }
  end
  local function sorted()
    table.sort(problems, function(a, b)
      if a.line ~= b.line then return a.line < b.line end
      if a.path ~= b.path then return a.path < b.path end
      return a.message < b.message
    end)
    return problems
  end
  return report, sorted
end

-- What the fields mean together.
local function check_meaning(report, m)
  if m.transport == "rest" and m.endpoint == nil then
    report("transport", "required", "a REST plugin needs an 'endpoint'")
  elseif m.transport == "lua" and m.endpoint ~= nil then
    report("endpoint", "value", "a Lua plugin has no endpoint")
  end
  if m.transport == "rest" and m.data_version ~= nil then
    report("data_version", "value",
      "a REST plugin gets its session as it is, and knows by itself what it has put there")
  end
  local before = {}
  for i, name in ipairs(m.before or {}) do
    before[name] = true
    if name == m.name then report(json_lines.join("before", i - 1), "cycle", "names itself") end
  end
  for i, name in ipairs(m.after or {}) do
    local path = json_lines.join("after", i - 1)
    if name == m.name then report(path, "cycle", "names itself") end
    if before[name] then report(path, "cycle", "'%s' is in 'before' too", name) end
  end
  local meaning = {} -- folded example -> its intent
  for i, intent in ipairs(m.intents or {}) do
    for k, phrase in ipairs(intent.examples or {}) do
      local path = ("intents[%d].examples[%d]"):format(i - 1, k - 1)
      local folded = text.normalise(phrase)
      if folded == "" then
        report(path, "value", "'%s' holds no word", phrase)
      elseif meaning[folded] and meaning[folded] ~= intent.name then
        report(path, "duplicate", "'%s' is an example of '%s' too", phrase, meaning[folded])
      end
      meaning[folded] = meaning[folded] or intent.name
    end
  end
end

local function check_locales(report, m, present)
  for i, locale in ipairs(m.locales or {}) do
    if not present[locale] then
      local path = json_lines.join("locales", i - 1)
      report(path, "missing_file", "there is no locales/%s.json", locale)
    end
  end
end

local function fill(m)
  m.priority = m.priority or 100
  m.on_error = m.on_error or "fallback"
  m.data_version = m.data_version or 1
  m.limits = m.limits or {}
  for key, value in pairs(M.LIMITS) do
    if m.limits[key] == nil then m.limits[key] = value end
  end
  for _, key in ipairs {
    "intents", "commands", "patterns", "before", "after", "permissions", "secrets", "locales",
  } do
    m[key] = m[key] or json.array {}
  end
  if m.transport == "rest" then m.heartbeat_interval_sec = m.heartbeat_interval_sec or 30 end
  return m
end

--- The hash by which a manifest is the same or another: of its canonical JSON (keys sorted, no
--- white space), before defaults are filled.
---@param manifest table
---@return string hex SHA-256
function M.hash(manifest)
  return crypto.hex(crypto.sha256((assert(json.encode(manifest, { sorted = true })))))
end

-- No text column of PostgreSQL takes a NUL character, and no checked document of the API has one.
local function check_nul(report, value, path)
  if type(value) == "string" and value:find("\0", 1, true) then
    report(path, "nul", "has a NUL character in it")
  elseif type(value) == "table" then
    local list = json.is_array(value)
    for key, item in pairs(value) do
      check_nul(report, key, path)
      check_nul(report, item, json_lines.join(path, list and key - 1 or key))
    end
  end
end

-- Checks a manifest of any version: its shape, then what its fields mean together.
---@return table|nil form of v1alpha nil: something was reported
local function check(report, m, locales)
  local problems = 0
  local function count(...)
    problems = problems + 1
    report(...)
  end
  if type(m) == "table" and m.ring ~= nil then
    count("ring", "permission", "a plugin does not choose its ring: plugins.NAME.ring in "
      .. "conf/parley.lua is for the operator")
    m.ring = nil
  end
  check_nul(count, m, "")
  local form, place = adapter.to_v1alpha(m, count)
  if form == nil then return nil end
  local function placed(path, ...) count(place(path), ...) end
  fields.manifest.check(placed, form, "")
  -- The meaning can be read only when the shape is right.
  if problems == 0 then
    check_meaning(placed, form)
    if locales then check_locales(placed, form, locales) end
  end
  return problems == 0 and form or nil
end

--- Checks a manifest.
---@param source string JSON
---@param opts? {file?: string, locales?: table<string, any>} `file` for the problems; `locales`:
---   the locale files that are there, by name
---@return table? manifest in the form of v1alpha, defaults filled; `permission_reasons` is what a
---  v1beta says of its permissions
---@return string|parley.Problem[] result its hash, or the problems
function M.check(source, opts)
  opts = opts or {}
  local file = opts.file or "manifest.json"
  local m, err = json.decode(source)
  if m == nil then
    local line = tonumber(err.message:match "line (%d+)") or 1
    return nil, { { path = "", code = err.code, message = err.message, line = line, file = file } }
  end
  local report, sorted = collector(file, json_lines.locate(source))
  local form = check(report, m, opts.locales)
  if not form then return nil, sorted() end
  local hash = M.hash(m)
  form.permission_reasons = adapter.reasons(m)
  return fill(form), hash
end

--- Checks intents that stand in a configuration instead of a manifest.
---@param given any
---@return string? problem `intents[0].name: ...`
function M.check_intents(given)
  local source, err = json.encode(given)
  if not source then return "intents: " .. err.message end
  local problem
  fields.intents.check(function(path, _, fmt, ...)
    problem = problem or path .. ": " .. fmt:format(...)
  end, (json.decode(source)), "intents")
  return problem
end

--- The names of the locale files of a plugin folder.
---@param dir string
---@return table<string, boolean>
local function locales_of(dir)
  local present = {}
  for _, name in ipairs(fs.exists(dir .. "/locales") and fs.list(dir .. "/locales") or {}) do
    local locale = name:match "^([%w_-]+)%.json$"
    if locale then present[locale] = true end
  end
  return present
end

--- Reads and checks the manifest of a plugin folder.
---@param dir string
---@param name? string that it must have; default: the folder's
---@return table? manifest
---@return string|parley.Problem[] result its hash, or the problems
---@return string? source as it was read
function M.load(dir, name)
  local file = dir .. "/manifest.json"
  local source, err = fs.read(file, MAX_BYTES)
  if not source then
    return nil, { { path = "", code = err.code, message = err.message, line = 1, file = file } }
  end
  local m, result = M.check(source, { file = file, locales = locales_of(dir) })
  if not m then return nil, result end
  name = name or dir:match "([^/]+)/*$"
  if m.name ~= name then
    local line = json_lines.locate(source) "name"
    return nil, { {
      path = "name", code = "value", line = line, file = file,
      message = ("the folder is '%s', the name '%s': they must be the same"):format(name, m.name),
    } }
  end
  return m, result, source
end

--- Checks what the manifests of a generation say together: names and commands used once, no cycle.
---@param plugins {name: string, manifest: table, file?: string}[]
---@return parley.Problem[] problems empty: none
function M.check_together(plugins)
  local problems, names, commands = {}, {}, {}
  local function report(p, path, code, fmt, ...)
    problems[#problems + 1] = {
      path = path, code = code, message = fmt:format(...), line = 1,
      file = p.file or p.name .. "/manifest.json",
    }
  end
  for _, p in ipairs(plugins) do
    if names[p.name] then report(p, "name", "duplicate", "there are two plugins '%s'", p.name) end
    names[p.name] = true
    for i, command in ipairs(p.manifest.commands or {}) do
      local other = commands[command.name]
      if other and other ~= p.name then
        report(p, ("commands[%d].name"):format(i - 1), "duplicate",
          "the command '%s' is one of '%s' too", command.name, other)
      end
      commands[command.name] = other or p.name
    end
  end
  local ordered, cycle = order.sort(plugins)
  if not ordered then
    report({ name = cycle[1] }, "before", "cycle", "before/after form a cycle: %s",
      table.concat(cycle, " -> "))
  end
  return problems
end

--- Problems as lines for people: `FILE:LINE: PATH: MESSAGE`.
---@param problems parley.Problem[]
---@return string
function M.describe(problems)
  local out = {}
  for i, p in ipairs(problems) do
    local path = p.path ~= "" and p.path .. ": " or ""
    out[i] = ("%s:%d: %s%s"):format(p.file, p.line, path, p.message)
  end
  return table.concat(out, "\n")
end

return M
