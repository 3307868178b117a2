-- wrk: calls of the Bot API by many chats of a load; with UPDATES=1, updates that are asked for again and again.
local updates = os.getenv "UPDATES" == "1"
local n = 0
function request()
  n = n % 30 + 1
  local body = updates and '{"limit":100}'
    or ('{"chat_id":%d,"text":"hello there"}'):format(501000000 + n)
  return wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body)
end
