-- The checks that a vendor's REST plugin passes before Parley is pointed at it.
--
-- A check is data: `run(target)` returns what is wrong, nothing when nothing is, or nil and why it
-- says nothing of this plugin. Its number is its place in the list; a new check goes to the end of
-- the last group, so that the numbers in people's notes stay true.

local target = require "parley.conformance.target"

local M = {}

---@class parley.ConformanceCheck
---@field name string what is true of a good plugin
---@field level "must"|"should"
---@field fix string what to do when it is not
---@field needs "secret"|"answer"|nil that calls can be signed, that the plugin answers them
---@field run fun(t: table): string|nil, string|nil what is wrong; nil and why it says nothing here

---@type parley.ConformanceCheck[]
M.checks = {}

for _, group in ipairs { "manifest", "signature", "replay", "events", "transport", "answers" } do
  for _, check in ipairs(require("parley.conformance." .. group)) do
    M.checks[#M.checks + 1] = check
  end
end

local LACKING = {
  secret = "nothing can be signed without --secret, or PARLEY_SIGNING_SECRET",
  answer = "the plugin answers no signed call, so that nothing else would say much",
}

local function has(t, need)
  if need == "secret" then return t.key ~= nil end
  return need == nil or #t.answers > 0
end

---@class parley.ConformanceResult
---@field number integer
---@field name string
---@field level "must"|"should"
---@field status "pass"|"fail"|"skip"
---@field found string|nil what was wrong, or why it was left out
---@field fix string|nil with a failure

---@return parley.ConformanceResult
---@return boolean good false: it has failed, or could not be made
local function run_one(number, check, t)
  local result = { number = number, name = check.name, level = check.level, status = "pass" }
  if not has(t, check.needs) then
    result.status, result.found = "skip", LACKING[check.needs]
    return result, false
  end
  local problem, not_here = check.run(t)
  if problem then
    result.status, result.found, result.fix = "fail", problem, check.fix
  elseif not_here then
    result.status, result.found = "skip", not_here
  end
  return result, not problem
end

---@class parley.ConformanceReport
---@field url string
---@field plugin {name: string, version: string}|nil as its manifest says
---@field conformant boolean no "must" has failed, all could be made
---@field passed integer
---@field failed integer
---@field skipped integer
---@field checks parley.ConformanceResult[]

---@class parley.ConformanceOptions
---@field url string the plugin's endpoint
---@field key string|nil of its secret (webhook.key)
---@field text string|nil what to say to it; default: its first command
---@field settings table|nil what comes to it as `config`
---@field each? fun(r: parley.ConformanceResult) gets every result as soon as it is there

---Makes all checks, one after the other.
---@param o parley.ConformanceOptions
---@return parley.ConformanceReport
function M.run(o)
  local t = target.new(o)
  local report = { url = t.url, conformant = true, checks = {} }
  local count = { pass = 0, fail = 0, skip = 0 }
  for number, check in ipairs(M.checks) do
    local result, good = run_one(number, check, t)
    count[result.status] = count[result.status] + 1
    if check.level == "must" and not good then report.conformant = false end
    report.checks[number] = result
    if o.each then o.each(result) end
  end
  report.passed, report.failed, report.skipped = count.pass, count.fail, count.skip
  if t.shown then
    report.plugin = { name = t.manifest.name, version = t.manifest.version }
  end
  return report
end

---Whether a text can be the address of a plugin.
---@return string|nil problem
function M.url_problem(url)
  if not url:find "^https?://[^/?#%s]+[^?#%s]*$" then
    return "a URL like https://plugin.example.org/parley expected, got '" .. url .. "'"
  end
  if url:find "/invoke/*$" then return "without /invoke: the checks add it" end
end

return M
