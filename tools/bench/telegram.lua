-- wrk, by what WHAT says: `sends`, calls of the Bot API by the chats of a load; `updates`, those that are asked for again
-- and again; `webhook`, what Telegram brings, with SECRET, paced by PACE (milliseconds between an answer and the next
-- update of a connection), each connection's in a chat of its own.
local what = os.getenv "WHAT"
local n, thread = 0, 0
local headers = {
  ["Content-Type"] = "application/json", ["X-Telegram-Bot-Api-Secret-Token"] = os.getenv "SECRET",
}
local UPDATE = '{"update_id":%d,"message":{"message_id":%d,"date":%d,"chat":{"id":%d,"type":"private","first_name":"Ann"},'
  .. '"from":{"id":%d,"is_bot":false,"first_name":"Ann","language_code":"en"},"text":"/echo hello there",'
  .. '"entities":[{"type":"bot_command","offset":0,"length":5}]}}'

function setup(t)
  t:set("id", thread)
  thread = thread + 1
end

local bodies = {
  sends = function() return ('{"chat_id":%d,"text":"hello there"}'):format(501000000 + n % 30 + 1) end,
  updates = function() return '{"limit":100}' end,
  webhook = function()
    local user = 501000000 + n % 200 + 1
    return UPDATE:format(os.time() * 100000 + id * 50000000 + n, n, os.time(), user, user)
  end,
}
local body = bodies[what]

function init()
  local pace = tonumber(os.getenv "PACE")
  -- Around it by chance, or all connections would send at once.
  if pace then function delay() return math.random(0, 2 * pace) end end
end

function request()
  n = n + 1
  return wrk.format("POST", nil, headers, body())
end
