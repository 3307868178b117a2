-- The examples of REST plugins as their READMEs have them: a process of their own, their manifest in the home.

local fs = require "host.fs"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local programs = require "spec.support.process"
local python = require "spec.support.python"
local tcp = require "host.tcp"
local webhook = require "parley.plugins.webhook"

local SECRET = webhook.new_secret()

local EXAMPLES = {
  { name = "dice", folder = "examples/rest-python", script = "plugin.py", says = "/roll 9d100" },
  { name = "tea", folder = "examples/rest-node", script = "plugin.mjs", says = "/tea 3m" },
}

-- The plugin, and a core that has its manifest.
local function start(example)
  local server =
    python.start(("%s/%s 0"):format(example.folder, example.script), { PARLEY_SIGNING_SECRET = SECRET })
  local manifest = assert(json.decode(fs.read(example.folder .. "/manifest.json")))
  manifest.endpoint = "http://127.0.0.1:" .. server.port
  local h = host.start {
    plugins = { [example.name] = { manifest = manifest } },
    config = ("return { plugins = { %s = { signing_secret = %q, allow_private = true } } }"):format(example.name, SECRET),
  }
  return server, h
end

for _, example in ipairs(EXAMPLES) do
  describe("the example REST plugin " .. example.name, function()
    local server, h, url
    setup(function()
      server, h = start(example)
      url = "http://127.0.0.1:" .. server.port
    end)
    teardown(function()
      h:stop()
      server:stop()
    end)

    if example.name == "dice" then
      it("rolls dice in the user's language and counts them", function()
        local r = h:say("d", "/roll 2d6").body
        assert.equal("dice", r.plugin.name)
        local a, b, sum = r.text:match "^You rolled (%d) %+ (%d): (%d+)%. That was roll number 1%.$"
        assert.equal(tonumber(sum), a + b)
        assert.equal("/roll 2d6", r.actions[1].buttons[1][1].text)
        assert.matches("^Це кидок номер 2%.$", h:say("d", "/roll", { locale = "uk" }).body.text:match "Це.*")
        assert.matches("^For example", h:say("d", "/roll the dice").body.text)
      end)
    else
      it("makes tea, says when it is ready, and more of it at the press of a button", function()
        local r = h:say("t", "/tea 0s").body
        assert.equal("tea", r.plugin.name)
        local ticket = r.text:match "^Tea number (%d+) is brewing: 0s%.$"
        local ready = ("Tea number %s is ready!"):format(ticket)
        programs.eventually("the job", function()
          return h.core.db:first("SELECT 1 AS x FROM messages WHERE dialog_id = 't' AND payload LIKE $1", "%" .. ready .. "%")
        end)
        local button = r.actions[1].buttons[1][1]
        assert.equal("Another one", button.text)
        r = h:say("t", nil, { type = "callback", payload = { data = button.data, plugin = button.plugin } }).body
        assert.matches("^Tea number %d+ is brewing: 0s%.$", r.text)
        assert.matches("^Чай номер %d+ заварюється: 90s%.$", h:say("t", "/tea 90s", { locale = "uk" }).body.text)
        assert.matches("^For example", h:say("t", "/tea soon").body.text)
      end)
    end

    it("answers a repeated call with its first answer", function()
      local body = json.encode {
        event = { type = "text", message = { text = example.says } }, user = {}, dialog = { state = json.decode "{}" },
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
        local line = (c:read(nil, 60) or ""):match "^HTTP/1.1 (%d+)"
        c:close()
        return line
      end
      assert.equal("400", raw "Content-Length: -1")
      assert.equal("400", raw "Content-Length: many")
      assert.equal("413", raw "Content-Length: 2000000")
      -- Node reads chunks, the server of Python's library does not.
      assert.equal(example.name == "tea" and "401" or "411",
        raw("Connection: close\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"))
      -- Both read headers as Latin-1: this signature is a text that is not ASCII.
      assert.equal("401", raw("Connection: close\r\nwebhook-id: a\r\nwebhook-timestamp: " .. os.time()
        .. "\r\nwebhook-signature: v1,\228\r\nContent-Length: 2", "{}"))
    end)
  end)
end
