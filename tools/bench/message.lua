-- wrk: messages of many dialogs, each with an id of its own. Environment: TOKEN, SAME (1: always the same
-- body, for the echo endpoint), TEXT, PACE (milliseconds between an answer and the next message of a connection).
local counter, thread = 0, 0
function setup(t)
  t:set("id", thread)
  thread = thread + 1
end
function init()
  local headers = { ["Content-Type"] = "application/json", ["X-Bot-Token"] = os.getenv "TOKEN" }
  local same = os.getenv "SAME" == "1"
  local text = os.getenv "TEXT" or "/echo hello there"
  local started = tostring(os.time())
  local pace = tonumber(os.getenv "PACE")
  -- Around it by chance, or all connections would send at once.
  if pace then function delay() return math.random(0, 2 * pace) end end
  local function body(n)
    return ('{"user":{"external_id":"user-%d"},"type":"text","text":"%s","message_id":"m-%s-%d-%d"}')
      :format(n % 500, text, started, id, n)
  end
  local fixed = wrk.format("POST", "/api/v1/dialogs/bench/messages", headers, body(1))
  function request()
    if same then return fixed end
    counter = counter + 1
    local dialog = ("/api/v1/dialogs/bench-%d-%d/messages"):format(id, counter % 500)
    return wrk.format("POST", dialog, headers, body(counter))
  end
end
