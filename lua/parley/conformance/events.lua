-- What a plugin is called for, and what may be in the envelope: all of it gets an answer.
--
-- A plugin need not know what to do: `{"actions": []}` is an answer, so is `"declined": true`.

local json = require "host.json"

local checks = {}

local function answers(name, fix, make)
  checks[#checks + 1] = {
    name = name, level = "must", needs = "answer", fix = fix,
    run = function(t) return t:ask(make(t)) end,
  }
end

local DECLINE = "answer {\"actions\": [], \"declined\": true} to what the plugin does not know"

answers("a command is answered", DECLINE, function(t)
  return t:envelope { type = "command", message = t:message { type = "command", text = t:words() } }
end)

answers("a pressed button is answered", DECLINE, function(t)
  return t:envelope {
    type = "callback",
    message = t:message { type = "callback", payload = { data = { conformance = "pressed" } } },
  }
end)

answers("a job is answered, which has no message",
  "look at event.type before event.message; " .. DECLINE,
  function(t)
    return t:envelope { type = "job", job = "conformance", data = { conformance = "job" } }
  end)

answers("a client's event is answered", DECLINE, function(t)
  return t:envelope {
    type = "event", name = "conformance", data = { conformance = "event" },
    message = t:message {
      type = "event", payload = { name = "conformance", data = { conformance = "event" } },
    },
  }
end)

answers("a message without a text is answered",
  "event.message.text is absent when somebody sends a photo",
  function(t)
    return t:envelope {
      type = "photo",
      message = t:message { type = "photo", payload = { url = "https://example.org/photo.jpg" } },
    }
  end)

answers("fields that the plugin does not know are ignored",
  "take what you know out of the document and leave the rest: new fields may come any day",
  function(t)
    local request = t:envelope()
    local more = { nested = json.array { 1, "two", json.null } }
    for _, o in ipairs {
      request, request.dialog, request.user, request.event, request.event.message,
    } do
      o.x_conformance = more
    end
    return request
  end)

answers("fields that are not known are absent, and missed by nobody",
  "user.name, locale, intent and history are not always there",
  function(t)
    local request = t:envelope()
    request.user.name, request.user.locale, request.dialog.locale = nil, nil, nil
    return request
  end)

answers("every language is answered",
  "read and write UTF-8; characters may take four bytes and be right to left",
  function(t)
    local request = t:envelope()
    request.user.locale, request.user.name = "uk", "Олена 👩‍🚀"
    request.event.message.text = t:words()
      .. " Привіт, שלום, مرحبا, 你好, 👩‍🚀, e\204\129, \226\128\168 \\ \" </script>"
    return request
  end)

answers("the longest text is answered",
  "a text has up to 16384 characters, which are up to 64 KiB",
  function(t)
    local request = t:envelope()
    request.event.message.text = t:words() .. (" 👍"):rep(8000)
    return request
  end)

answers("the largest envelope is answered",
  "take bodies up to 1 MiB: a state has up to 64 KiB, so has a payload, history up to 32 KiB",
  function(t)
    local request = t:envelope()
    request.dialog.state = { conformance = ("\\"):rep(30000) }
    request.event.message.payload = { conformance = ("\""):rep(30000) }
    request.history = json.array()
    for i = 1, 20 do
      request.history[i] = {
        role = i % 2 == 1 and "user" or "plugin", type = i % 2 == 1 and "text" or "reply",
        text = ("ї"):rep(800), at = "2026-01-01T00:00:00.000Z",
      }
    end
    return request
  end)

answers("an intent is answered", DECLINE, function(t)
  local request = t:envelope()
  local intent = t.manifest.intents[1]
  request.intent = {
    name = intent and intent.name or "conformance", confidence = 0.75, source = "model",
    alternatives = json.array { { name = "other", confidence = 0.25 } },
  }
  return request
end)

return checks
