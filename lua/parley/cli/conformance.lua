-- parley conformance: the checks that a vendor's REST plugin passes before Parley is pointed at it.

local conformance = require "parley.conformance"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
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

function M.run(o)
  local problem = conformance.url_problem(o[1])
  if problem then return exit.usage("conformance: URL: " .. problem) end
  local secret = o.secret or fs.getenv(SECRET)
  local key
  if secret then
    key, problem = webhook.key(secret)
    if not key then return exit.usage("conformance: the secret: " .. problem) end
  end
  local as_json = o.json or o.output == "json"
  local report = conformance.run {
    url = o[1], key = key, text = o.text, each = not as_json and print_result or nil,
  }
  if as_json then output.json(report) else print_verdict(report) end
  return report.conformant and exit.DONE or exit.NO
end

return M
