-- Who may call: every check but the first ones sends a call that is not Parley's.
--
-- A refusal is 400 or 401, never 5xx: a forged call is nothing that has gone wrong in the plugin.

local crypto = require "host.crypto"
local webhook = require "parley.plugins.webhook"

local TOLERANCE = 300 -- seconds, as Standard Webhooks and the vendor guide have it

local checks = {}

local function takes(name, fix, run)
  checks[#checks + 1] = { name = name, level = "must", fix = fix, needs = "secret", run = run }
end

---@param spoil fun(call: parley.ConformanceCall, key: string)
local function refuses(name, fix, spoil)
  checks[#checks + 1] = {
    name = name, level = "must", fix = fix, needs = "answer",
    run = function(t)
      local call = t:sign(t:envelope())
      spoil(call, t.key)
      return t:refused(call)
    end,
  }
end

takes("a signed call is answered, within limits.timeout_ms",
  "the signature is HMAC-SHA256, with the bytes behind whsec_, over \"id.timestamp.body\"; try the "
    .. "vectors of docs/rest-plugins.md, and see that both sides have the same secret and time",
  function(t) return t:ask(t:envelope()) end)

takes("one good signature among several is enough",
  "split webhook-signature at spaces and take the call when any of them fits: there are two while "
    .. "the secret is being changed",
  function(t)
    local call = t:sign(t:envelope())
    local other = webhook.sign(crypto.random(32), call.headers["webhook-id"],
      call.headers["webhook-timestamp"], call.body)
    call.headers["webhook-signature"] = ("v1a,%s %s %s"):format(crypto.base64(crypto.random(64)),
      other, call.headers["webhook-signature"])
    return t:judge(call, t:send(call))
  end)

takes("names of headers are taken in any case",
  "look headers up without regard to case (RFC 9110 section 5.1): proxies change it",
  function(t)
    local call, headers = t:sign(t:envelope()), {}
    for name, value in pairs(call.headers) do headers[name:upper()] = value end
    call.headers = headers
    return t:judge(call, t:send(call))
  end)

refuses("a changed signature is refused",
  "compare the whole signature, in constant time",
  function(call)
    local s = call.headers["webhook-signature"]
    -- The first character after "v1,": the last one holds bits that base64 ignores.
    call.headers["webhook-signature"] = "v1," .. (s:sub(4, 4) == "A" and "B" or "A") .. s:sub(5)
  end)

refuses("the beginning of a signature is refused",
  "compare all 32 bytes; another length is no match",
  function(call)
    call.headers["webhook-signature"] = call.headers["webhook-signature"]:sub(1, 3 + 24)
  end)

refuses("a signature that is none is refused",
  "whatever stands there, it is 401: no exception, no 500",
  function(call) call.headers["webhook-signature"] = "v1, v1,\228\128 v2,x ,v1" end)

refuses("the signature of another secret is refused",
  "use the secret of this plugin alone",
  function(call)
    local h = call.headers
    h["webhook-signature"] =
      webhook.sign(crypto.random(32), h["webhook-id"], h["webhook-timestamp"], call.body)
  end)

refuses("a changed body is refused",
  "sign the bytes of the body as they came, before JSON is parsed: written anew they may differ",
  function(call) call.body = " " .. call.body end)

refuses("the signature of another webhook-id is refused",
  "the id is part of what is signed: \"id.timestamp.body\"",
  function(call) call.headers["webhook-id"] = crypto.uuid7() end)

refuses("the signature of another time is refused",
  "the timestamp is part of what is signed: \"id.timestamp.body\"",
  function(call)
    call.headers["webhook-timestamp"] = call.headers["webhook-timestamp"] - 1
  end)

for _, case in ipairs { { "old", -2 }, { "new", 2 } } do
  checks[#checks + 1] = {
    name = ("a call that is ten minutes too %s is refused"):format(case[1]),
    level = "must", needs = "answer",
    fix = "refuse a webhook-timestamp that is more than five minutes off, either way",
    run = function(t)
      local now = t:sign("").headers["webhook-timestamp"]
      return t:refused(t:sign(t:envelope(), { timestamp = now + case[2] * TOLERANCE }))
    end,
  }
end

for _, name in ipairs { "webhook-id", "webhook-timestamp", "webhook-signature" } do
  refuses(("a call without %s is refused"):format(name),
    "all three headers are needed",
    function(call) call.headers[name] = nil end)
end

refuses("a timestamp that is no number is refused",
  "read it as digits only; anything else is 400 or 401",
  function(call, key)
    local h = call.headers
    h["webhook-timestamp"] = h["webhook-timestamp"] .. "x"
    h["webhook-signature"] = "v1," .. crypto.base64(crypto.hmac_sha256(key,
      ("%s.%s.%s"):format(h["webhook-id"], h["webhook-timestamp"], call.body)))
  end)

return checks
