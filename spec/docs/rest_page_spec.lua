-- The documents of docs/rest-plugins.md: the request has the fields that a plugin gets, the answer is one
-- that is taken.

local answer = require "parley.plugins.answer"
local conformance = require "parley.conformance"
local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local python = require "spec.support.python"
local response = require "parley.turn.response"
local webhook = require "parley.plugins.webhook"

local function block(name)
  local text = fs.read("docs/rest-plugins.md"):match("```json " .. name .. "\n(.-)```")
  return text, assert(json.decode(text))
end

-- The names of all fields, but for what is a plugin's own.
local OPEN = { ["config"] = true, ["dialog.state"] = true }

local function fields(value, path, out)
  for key, v in pairs(value) do
    local at = path and path .. "." .. key or key
    out[#out + 1] = at
    if type(v) == "table" and not OPEN[at] then fields(v, at, out) end
  end
  table.sort(out)
  return out
end

describe("docs/rest-plugins.md", function()
  it("shows the request that a plugin gets", function()
    local server = python.start "spec/support/fake_plugin.py"
    local url = ("http://127.0.0.1:%d"):format(server.port)
    local h = host.start {
      plugins = { dice = {
        manifest = { transport = "rest", endpoint = url, commands = { { name = "roll", description = "x" } } },
      } },
      config = ("return { plugins = { dice = { signing_secret = %q, allow_private = true, greeting = 'hi' } } }")
        :format(webhook.new_secret()),
    }
    assert.equal("answered", h:say("tg:shop:42", "/roll ok", { message_id = "m1" }).body.status)
    local log = json.decode(assert(http.request { url = url .. "/log", allow_private = true }).body)
    h:stop()
    server:stop()
    local _, shown = block "request"
    local sent = log.calls[1].request
    assert.same(fields(sent, nil, {}), fields(shown, nil, {}))
    assert.equal(sent.deadline_ms > 0 and sent.deadline_ms <= 5000, true)
  end)

  it("shows answers that are taken whole", function()
    local text = block "answer"
    local value, unknown = answer.read { status = 200, headers = { ["content-type"] = "application/json" }, body = text }
    assert.same({}, unknown)
    local later = block "later"
    local promise, rest = answer.read { status = 202, headers = { ["content-type"] = "application/json" }, body = later }
    assert.same({}, rest)
    assert(promise.continue)
    local m = assert(manifest.check(json.encode {
      schema = "v1alpha", name = "dice", version = "1.0.0", api = "1", transport = "rest",
      endpoint = "https://dice.example", permissions = { "jobs" },
    }))
    local taken, err = response.check({ name = "dice", manifest = m }, value)
    assert(taken, err and err.message)
    assert(response.check({ name = "dice", manifest = m }, promise))
  end)

  it("names every action", function()
    local page = fs.read "docs/rest-plugins.md"
    for name in pairs(require("parley.schema.actions").types) do
      assert(page:find("`" .. name .. "`", 1, true), name)
    end
  end)

  it("lists the checks", function()
    local page, rows = fs.read "docs/rest-plugins.md", 0
    for number, check in ipairs(conformance.checks) do
      local row = ("| %d | %s | %s |\n"):format(number, check.level, check.name)
      assert(page:find(row, 1, true), row)
    end
    for _ in page:gmatch "\n| %d+ | %l+ | " do rows = rows + 1 end
    assert.equal(#conformance.checks, rows)
  end)
end)
