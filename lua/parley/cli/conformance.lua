-- parley conformance: the checks that a vendor's REST plugin passes before Parley is pointed at it.

local conformance = require "parley.conformance"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local json = require "host.json"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local webhook = require "parley.plugins.webhook"

local SECRET = "PARLEY_SIGNING_SECRET"

local M = {
  about = [[
Calls a REST plugin as Parley does, and as nobody should, and says what is wrong and what to do.
The calls are real: whatever the plugin does, it does. Exits with 1 unless every check of the level
"must" has passed.]],
  arguments = { { name = "URL", help = "the plugin's endpoint, without /invoke", needed = true } },
  options = {
    { name = "secret", value = "SECRET", help = "whsec_...; default: " .. SECRET },
    { name = "text", value = "TEXT", help = "what to say to it; default: its first command" },
    { name = "settings", value = "FILE", help = "JSON: what comes to it as `config`" },
    { name = "json", help = "the same as --output json" },
    options.output,
  },
}

local function print_result(r)
  local function out(fmt, ...) io.stdout:write(fmt:format(...)) end
  out("%3d  %-4s  %-6s  %s\n", r.number, r.status, r.level, r.name)
  if r.found then out("                   %s: %s\n", r.fix and "found" or "why", r.found) end
  if r.fix then out("                   to do: %s\n", r.fix) end
  io.stdout:flush() -- a check of a slow plugin takes its time
end

local function print_verdict(report)
  local p = report.plugin
  io.stdout:write(("%s: %s: %d passed, %d failed, %d skipped\n"):format(
    p and ("%s %s"):format(p.name, p.version) or report.url,
    report.conformant and "conformant" or "not conformant",
    report.passed, report.failed, report.skipped))
end

local function wrong(fmt, ...) return exit.usage("conformance: " .. fmt:format(...)) end

---@return table|nil settings
---@return string|nil problem
local function read_settings(path)
  local text, err = fs.read_any(path, 1048576)
  if not text then return nil, err.message end
  local settings, problem = json.decode(text)
  if settings == nil then return nil, ("%s: %s"):format(path, problem.message) end
  if type(settings) ~= "table" or json.is_array(settings) then
    return nil, path .. ": an object expected"
  end
  return settings
end

function M.run(o)
  local problem = conformance.url_problem(o[1])
  if problem then return wrong("URL: %s", problem) end
  local secret = o.secret or fs.getenv(SECRET)
  local key, settings
  if secret then
    key, problem = webhook.key(secret)
    if not key then return wrong("the secret: %s", problem) end
  end
  if o.settings then
    settings, problem = read_settings(o.settings)
    if not settings then return wrong("--settings: %s", problem) end
  end
  local as_json = o.json or o.output == "json"
  local report = conformance.run {
    url = o[1], key = key, text = o.text, settings = settings,
    each = not as_json and print_result or nil,
  }
  if as_json then output.json(report) else print_verdict(report) end
  return report.conformant and exit.DONE or exit.NO
end

return M
