-- What bad input gets, through the whole API: the exact status and code, a trace id, a connection in a
-- defined state, and nothing stored.

local host = require "spec.support.host"
local json = require "host.json"
local tcp = require "host.tcp"

local TABLES = {
  "users", "dialogs", "messages", "plugin_calls", "audit_logs", "inbox", "jobs", "idempotency", "kv", "dead_letters",
}

local GOOD = '{"user":{"external_id":"alice"},"type":"text","text":"/echo hi"}'
local MESSAGES = "/api/v1/dialogs/d/messages"

local function deep(n) return ("["):rep(n) .. ("]"):rep(n) end
local function text(t) return ('{"user":{"external_id":"alice"},"type":"text","text":%s}'):format(t) end
local function with(more) return GOOD:gsub("}$", "," .. more .. "}") end

describe("bad input", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  local function stored()
    local out = {}
    for i, name in ipairs(TABLES) do out[i] = name .. " " .. h:count(name) end
    return table.concat(out, ", ")
  end

  local function read_answer(c)
    local head, err = c:read("\r\n\r\n", 60)
    assert(not err, err and err.message .. ": " .. tostring(head))
    local length = tonumber(head:match "Content%-Length: (%d+)")
    local body = length > 0 and c:read(length, 60) or ""
    return tonumber(head:match "^HTTP/1.1 (%d+)"), head, body
  end

  -- Whether the connection takes another request, or is closed: it must be one of the two.
  local function usable(c)
    c:write("GET /api/v1/dialogs/nobody HTTP/1.1\r\nHost: x\r\nX-Bot-Token: " .. h.token .. "\r\n\r\n")
    local head, err = c:read("\r\n\r\n", 60)
    if err then
      assert.is_true(err.code == "closed" or err.code == "connect" or err.code == "io", err.code)
      return false
    end
    assert.matches("^HTTP/1.1 404", head)
    return true
  end

  local function check(o)
    local before = stored()
    local c = assert(tcp.connect("127.0.0.1", h.port))
    local body = o.body or GOOD
    local headers = o.headers or ("X-Bot-Token: " .. (o.token or h.token) .. "\r\nContent-Type: application/json\r\n")
    assert(c:write(o.raw or ("%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s"):format(o.method or "POST",
      o.path or MESSAGES, headers, #body, body)))
    local status, head, answer = read_answer(c)
    assert.equal(o.status, status, answer)
    local problem = json.decode(answer)
    if o.code then
      assert.equal("application/problem+json", head:match "Content%-Type: ([^\r]+)")
      assert.equal(o.code, problem.code, answer)
      assert.equal(o.status, problem.status)
      assert.matches("^%x+$", problem.trace_id)
      assert.equal(32, #problem.trace_id)
      assert.equal(problem.trace_id, head:match "X%-Trace%-Id: (%x+)")
      assert.is_string(problem.title)
    end
    if o.detail then assert.matches(o.detail, problem.detail) end
    if status == 401 then assert.truthy(head:find("WWW-Authenticate:", 1, true)) end
    assert.equal(not o.closes, usable(c))
    c:close()
    assert.equal(before, stored())
  end

  local function cases(what, list)
    for name, o in pairs(list) do
      it(what .. ": " .. name, function() check(type(o) == "function" and o() or o) end)
    end
  end

  cases("JSON", {
    empty = { body = "", status = 400, code = "invalid_json" },
    ["cut off"] = { body = GOOD:sub(1, -2), status = 400, code = "invalid_json" },
    ["two documents"] = { body = GOOD .. GOOD, status = 400, code = "invalid_json" },
    ["a comment"] = { body = "/* */" .. GOOD, status = 400, code = "invalid_json" },
    ["single quotes"] = { body = "{'a':1}", status = 400, code = "invalid_json" },
    ["a trailing comma"] = { body = GOOD:gsub("}$", ",}"), status = 400, code = "invalid_json" },
    NaN = { body = with '"payload":{"n":NaN}', status = 400, code = "invalid_json" },
    ["a leading zero"] = { body = with '"payload":{"n":01}', status = 400, code = "invalid_json" },
    ["a key twice"] = { body = with '"type":"text"', status = 400, code = "invalid_json" },
    ["a control character"] = { body = text '"a\1b"', status = 400, code = "invalid_json" },
    ["half of a surrogate pair"] = { body = text '"\\ud800"', status = 400, code = "invalid_json" },
    ["a wrong escape"] = { body = text '"\\x41"', status = 400, code = "invalid_json" },
    ["a huge number"] = { body = with '"payload":{"n":1e999}', status = 400, code = "number_out_of_range" },
    ["an integer that is not exact"] = {
      body = with '"payload":{"n":9007199254740993}', status = 400, code = "number_out_of_range",
    },
    ["invalid UTF-8"] = { body = text '"\255\254"', status = 400, code = "invalid_utf8" },
    ["an overlong sequence"] = { body = text '"\192\175"', status = 400, code = "invalid_utf8" },
    ["nested too deep"] = { body = with('"payload":{"n":' .. deep(31) .. "}"), status = 400, code = "too_deep" },
    ["nested very deep"] = { body = deep(100000), status = 400, code = "too_deep" },
    ["a byte order mark"] = { body = "\239\187\191" .. GOOD, status = 400, code = "invalid_json" },
  })

  cases("shape", {
    ["a list"] = { body = "[]", status = 400, code = "validation_failed" },
    ["a text"] = { body = '"x"', status = 400, code = "validation_failed" },
    null = { body = "null", status = 400, code = "validation_failed" },
    ["nothing in it"] = { body = "{}", status = 400, code = "validation_failed" },
    ["an unknown field"] = { body = with '"txet":"x"', status = 400, code = "validation_failed", detail = "/txet" },
    ["a wrong type"] = { body = text "5", status = 400, code = "validation_failed", detail = "/text: string expected" },
    ["an unknown type"] = { body = GOOD:gsub('"text",', '"shout",', 1), status = 400, code = "validation_failed" },
    ["no text"] = { body = '{"user":{"external_id":"a"},"type":"text"}', status = 400, code = "validation_failed" },
    ["an empty text"] = { body = text '""', status = 400, code = "validation_failed" },
    ["no user"] = { body = '{"type":"text","text":"x"}', status = 400, code = "validation_failed" },
    ["a user who is nobody"] = { body = '{"user":{},"type":"text","text":"x"}', status = 400, code = "validation_failed" },
    ["an id that is none"] = {
      body = '{"user":{"id":"7"},"type":"text","text":"x"}', status = 400, code = "validation_failed",
    },
    ["an id that nobody has"] = {
      body = '{"user":{"id":"01890000-0000-7000-8000-000000000000"},"type":"text","text":"x"}', status = 404,
      code = "user_not_found",
    },
    ["a telegram_id that is a text"] = {
      body = '{"user":{"telegram_id":"5"},"type":"text","text":"x"}', status = 400, code = "validation_failed",
    },
    ["a telegram_id below one"] = {
      body = '{"user":{"telegram_id":0},"type":"text","text":"x"}', status = 400, code = "validation_failed",
    },
    ["a text that is too long"] = {
      body = text('"' .. ("x"):rep(16385) .. '"'), status = 400, code = "validation_failed", detail = "at most 16384",
    },
    ["a context that is too large"] = {
      body = with('"context":{"x":"' .. ("x"):rep(17000) .. '"}'), status = 400, code = "validation_failed",
    },
    ["a message_id with spaces"] = { body = with '"message_id":"a b"', status = 400, code = "validation_failed" },
    ["a message_id that is too long"] = {
      body = with('"message_id":"' .. ("m"):rep(129) .. '"'), status = 400, code = "validation_failed",
    },
    ["a payload that is a list of ten thousand"] = {
      body = with('"payload":[' .. ("1,"):rep(9999) .. "1]"), status = 400, code = "validation_failed",
    },
    ["a day that there is not"] = {
      body = with '"sent_at":"2026-02-29T12:00:00Z"', status = 400, code = "validation_failed",
      detail = "/sent_at: not a valid date%-time",
    },
    ["an hour that there is not"] = {
      body = with '"sent_at":"2026-11-21T24:00:00Z"', status = 400, code = "validation_failed",
    },
    ["a time without its zone"] = {
      body = with '"sent_at":"2026-11-21T12:00:00"', status = 400, code = "validation_failed",
    },
    ["a channel that is none"] = { body = with '"channel":"../etc"', status = 400, code = "validation_failed" },
    ["a locale that is none"] = { body = with '"locale":"?"', status = 400, code = "validation_failed" },
    ["two identities of a user"] = {
      path = "/api/v1/users", body = '{"external_id":"a","telegram_id":5}', status = 400, code = "validation_failed",
    },
    ["a text with a NUL"] = { body = text '"a\\u0000b"', status = 400, code = "validation_failed", detail = "NUL" },
    ["a user with a NUL"] = {
      body = '{"user":{"external_id":"a\\u0000"},"type":"text","text":"x"}', status = 400, code = "validation_failed",
    },
    ["a limit in another notation"] = {
      method = "GET", path = "/api/v1/dialogs/d?limit=0x10", body = "", status = 400, code = "validation_failed",
    },
    ["a cursor that is none"] = {
      method = "GET", path = "/api/v1/dialogs/d?cursor=%00", body = "", status = 400, code = "validation_failed",
    },
    ["a limit that is none"] = {
      method = "GET", path = "/api/v1/dialogs/d?limit=x", body = "", status = 400, code = "validation_failed",
    },
  })

  cases("address", {
    ["a dialog id with a space"] = {
      path = "/api/v1/dialogs/a%20b/messages", status = 400, code = "invalid_dialog_id",
    },
    ["a dialog id that is too long"] = {
      path = "/api/v1/dialogs/" .. ("d"):rep(65) .. "/messages", status = 400, code = "invalid_dialog_id",
    },
    ["a dialog id that climbs"] = { path = "/api/v1/dialogs/../users", status = 404, code = "not_found" },
    ["a path that is none"] = { path = "/api/v2/dialogs/d/messages", status = 404, code = "not_found" },
    ["a method that is not allowed"] = { method = "PUT", status = 405, code = "method_not_allowed" },
    ["a method that nobody knows"] = { method = "BREW", status = 501, closes = true },
    ["another type of content"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nContent-Type: text/plain\r\n", status = 415,
        code = "unsupported_media_type",
      }
    end,
    ["JSON of another kind"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nContent-Type: application/json5\r\n", status = 415,
        code = "unsupported_media_type",
      }
    end,
    ["another character set"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nContent-Type: application/json; charset=latin1\r\n", status = 415,
        code = "unsupported_media_type",
      }
    end,
    ["a packed body"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n",
        status = 415, code = "unsupported_media_type",
      }
    end,
    ["a dialog id that hides a slash"] = {
      path = "/api/v1/dialogs/a%2Fb/messages", status = 400, code = "invalid_dialog_id",
    },
    ["a form"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nContent-Type: application/x-www-form-urlencoded\r\n", status = 415,
        code = "unsupported_media_type",
      }
    end,
  })

  local function header(line)
    return { headers = line .. "Content-Type: application/json\r\n", status = 401, code = "unauthorized" }
  end
  cases("token", {
    none = header "",
    ["an empty one"] = header "X-Bot-Token: \r\n",
    ["one of the wrong form"] = header "X-Bot-Token: hunter2\r\n",
    ["one that is too long"] = header("X-Bot-Token: prl_bot_" .. ("A"):rep(300) .. "\r\n"),
    ["one that nobody has"] = function()
      return header("X-Bot-Token: " .. (require("parley.auth.token").generate "bot") .. "\r\n")
    end,
    ["one with a wrong secret"] = function()
      local secret = h.token:sub(-10)
      return header("X-Bot-Token: " .. h.token:sub(1, -11) .. secret:reverse() .. "\r\n")
    end,
    ["one that was revoked"] = function()
      local token, id = h:make_token { "dialogs:write" }
      assert(h.core.db:commit { require("parley.store.tokens").revoke(id) })
      return { token = token, status = 401, code = "unauthorized" }
    end,
    ["one that has expired"] = function()
      local token = h:make_token({ "dialogs:write" }, "bot", require("host.time").now_ms() - 1000)
      return { token = token, status = 401, code = "unauthorized" }
    end,
    ["one without the scope"] = function()
      return { token = h:make_token { "users:write" }, status = 403, code = "forbidden", detail = "dialogs:write" }
    end,
    ["one of another kind"] = function()
      return { token = h:make_token({ "dialogs:write" }, "plg"), status = 403, code = "forbidden" }
    end,
    ["in the header of another kind"] = function()
      return header("X-Plugin-Token: " .. h.token .. "\r\n")
    end,
    ["one twice"] = function()
      return {
        headers = ("X-Bot-Token: " .. h.token .. "\r\n"):rep(2) .. "Content-Type: application/json\r\n",
        status = 400, code = "bad_request", detail = "X%-Bot%-Token stands twice",
      }
    end,
    ["two for two kinds of authorization"] = function()
      return {
        headers = "Authorization: Bearer " .. h.token .. "\r\nauthorization: Basic YTpi\r\n"
          .. "Content-Type: application/json\r\n",
        status = 400, code = "bad_request", detail = "Authorization stands twice",
      }
    end,
    ["two keys of one request"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n"
          .. "Content-Type: application/json\r\n",
        status = 400, code = "bad_request", detail = "Idempotency%-Key stands twice",
      }
    end,
    ["two types of one body"] = function()
      return {
        headers = "X-Bot-Token: " .. h.token .. "\r\n" .. ("Content-Type: application/json\r\n"):rep(2),
        status = 400, code = "bad_request", detail = "Content%-Type stands twice",
      }
    end,
    ["basic authorization"] = header "Authorization: Basic YTpi\r\n",
  })

  local function raw(text_of, status, more)
    local o = more or {}
    o.raw, o.status, o.closes = text_of, status, true
    return o
  end
  cases("HTTP", {
    garbage = raw("\1\2\3\4\r\n\r\n", 400),
    ["no version"] = raw("GET /\r\n\r\n", 400),
    ["a version of the future"] = raw("GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    ["no host"] = raw("GET /chat HTTP/1.1\r\n\r\n", 400),
    ["two hosts"] = raw("GET /chat HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ["two lengths"] = raw("POST " .. MESSAGES .. " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ["a length and chunks"] = raw("POST " .. MESSAGES
      .. " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ["a folded header"] = raw("GET /chat HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 400),
    ["a bare carriage return"] = raw("GET /chat HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n", 400),
    ["a bad chunk"] = raw("POST " .. MESSAGES .. " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ["a header too large"] = raw("GET /chat HTTP/1.1\r\nHost: x\r\nX-A: " .. ("a"):rep(20000) .. "\r\n\r\n", 431),
    ["too many headers"] = raw("GET /chat HTTP/1.1\r\nHost: x\r\n" .. ("X-A: b\r\n"):rep(150) .. "\r\n", 431),
    ["an address too long"] = raw("GET /" .. ("a"):rep(9000) .. " HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ["a body too large"] = raw("POST " .. MESSAGES .. " HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", 413),
  })

  it("goes on serving, also a dialog whose id is written in escapes", function()
    assert.equal(200, h:say("tg%3A1", "/echo hi").status)
    assert.equal("tg:1", h:request("GET", "/api/v1/dialogs/tg:1").body.dialog.id)
    assert.equal("hi", h:say("after", "/echo hi").body.text)
  end)
end)
