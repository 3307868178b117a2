-- examples/rest-python as its README has it: the plugin's own process, its manifest in the home.

local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"
local tcp = require "host.tcp"
local webhook = require "parley.plugins.webhook"

local SECRET = webhook.new_secret()

describe("the example REST plugin", function()
  local server, h, url
  setup(function()
    server = python.start("examples/rest-python/plugin.py 0", { PARLEY_SIGNING_SECRET = SECRET })
    url = "http://127.0.0.1:" .. server.port
    local manifest = assert(json.decode(fs.read "examples/rest-python/manifest.json"))
    manifest.endpoint = url
    h = host.start {
      plugins = { dice = { manifest = manifest } },
      config = ("return { plugins = { dice = { signing_secret = %q, allow_private = true } } }"):format(SECRET),
    }
  end)
  teardown(function()
    h:stop()
    server:stop()
  end)

  it("rolls dice in the user's language and counts them", function()
    local r = h:say("d", "/roll 2d6").body
    assert.equal("dice", r.plugin.name)
    local a, b, sum = r.text:match "^You rolled (%d) %+ (%d): (%d+)%. That was roll number 1%.$"
    assert.equal(tonumber(sum), a + b)
    assert.equal("/roll 2d6", r.actions[1].buttons[1][1].text)
    assert.matches("^Це кидок номер 2%.$", h:say("d", "/roll", { locale = "uk" }).body.text:match "Це.*")
    assert.matches("^For example", h:say("d", "/roll the dice").body.text)
  end)

  it("answers a repeated call with its first answer", function()
    local body = json.encode {
      event = { message = { text = "/roll 9d100" } }, user = {}, dialog = { state = json.decode "{}" },
    }
    local key, now = webhook.key(SECRET), os.time()
    local function post(headers)
      headers["Content-Type"] = "application/json"
      return http.request {
        method = "POST", url = url .. "/invoke", body = body, headers = headers, allow_private = true,
      }
    end
    local function signed(id, at)
      return {
        ["webhook-id"] = id, ["webhook-timestamp"] = at, ["webhook-signature"] = webhook.sign(key, id, at, body),
      }
    end
    local first = assert(post(signed("a", now)))
    assert.equal(200, first.status)
    assert.equal(first.body, assert(post(signed("a", now))).body)
    assert.not_equal(first.body, assert(post(signed("b", now))).body)
    -- An old call, a forged one, none at all.
    assert.equal(401, assert(post(signed("c", now - 1000))).status)
    local forged = signed("d", now)
    forged["webhook-id"] = "e"
    assert.equal(401, assert(post(forged)).status)
    assert.equal(401, assert(post {}).status)
  end)

  it("answers what no caller of its own sends", function()
    local function raw(head, body)
      local c = assert(tcp.connect("127.0.0.1", server.port))
      assert(c:write("POST /invoke HTTP/1.1\r\nHost: x\r\n" .. head .. "\r\n\r\n" .. (body or "")))
      local line = (c:read(nil, 10) or ""):match "^HTTP/1.1 (%d+)"
      c:close()
      return line
    end
    assert.equal("400", raw "Content-Length: -1")
    assert.equal("400", raw "Content-Length: many")
    assert.equal("411", raw "Transfer-Encoding: chunked")
    assert.equal("413", raw "Content-Length: 2000000")
    -- Python reads headers as Latin-1: this signature is a text that is not ASCII.
    assert.equal("401", raw("Connection: close\r\nwebhook-id: a\r\nwebhook-timestamp: " .. os.time()
      .. "\r\nwebhook-signature: v1,\228\r\nContent-Length: 2", "{}"))
  end)
end)
