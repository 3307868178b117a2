-- The parts of tools/bench/webhook, run by `parley lua`:
--   api                             a Bot API that says yes to everything; prints its port
--   secret HOME                     the secret of the webhook of the bot "main"
--   commit HOME                     one row of inbox after the other: the time of a commit
--   updates PORT SECRET RATE SECS   updates at a fixed rate, whether those before are answered or not
-- The last two print p50 and p99 in ms, the last also how many were not answered with 200, and how late they were sent.

local config = require "parley.config"
local crypto = require "host.crypto"
local http_server = require "host.http_server"
local json = require "host.json"
local secrets = require "parley.plugins.secrets"
local store = require "parley.store"
local task = require "host.task"
local tcp = require "host.tcp"
local time = require "host.time"

local CONNECTIONS, CHATS, COMMITS = 100, 500, 1500

local function quantile(values, q)
  table.sort(values)
  return values[math.max(1, math.ceil(#values * q))] or 0
end

local parts = {}

function parts.api()
  local reply = '{"ok":true,"result":{"message_id":1,"id":7000001,"is_bot":true,"username":"bench_bot"}}'
  local server = assert(http_server.listen({ port = 0, idle_ms = 600000 }, function(req, _, path)
    if path:find "getUpdates" then
      task.sleep(20) -- whoever polls waits, as there are none
      return req:respond(200, "Content-Type: application/json\r\n", '{"ok":true,"result":[]}')
    end
    req:respond(200, "Content-Type: application/json\r\n", reply)
  end))
  io.stdout:write(server:port(), "\n")
  io.stdout:flush()
  task.sleep(1e6)
end

local function home_config(home) return assert(config.load(home)) end

function parts.secret(home)
  local master = assert(secrets.master(home_config(home)))
  io.stdout:write(require("parley.store.bots").secret(master, "main", 1), "\n")
end

function parts.commit(home)
  local db = assert(store.open(home_config(home), { migrate = false }))
  local took = {}
  for i = 1, COMMITS do
    local since = time.mono()
    assert(db:commit { {
      "INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, received_at, owner) "
        .. "VALUES ($1, $2, $3, 'done', $4, $5, $6, $7, $8)",
      "bench", crypto.uuid7(), "tg:main:1", ("x"):rep(300), ("0"):rep(32), crypto.trace_id(), time.now_ms(), "bench",
    } })
    took[i] = (time.mono() - since) * 1000
  end
  db:close()
  print(("%.2f %.2f"):format(quantile(took, 0.5), quantile(took, 0.99)))
end

local function update(id)
  local chat = 500000000 + id % CHATS
  return json.encode {
    update_id = id, message = {
      message_id = id, date = 1750000000, text = "hello " .. id, chat = { id = chat, type = "private", first_name = "Ann" },
      from = { id = chat, is_bot = false, first_name = "Ann", language_code = "en" },
    },
  }
end

function parts.updates(port, secret, rate, seconds)
  rate, seconds = tonumber(rate), tonumber(seconds)
  local total, next_one, failed, due = rate * seconds, 0, 0, 0
  local took, late, tasks, go = {}, {}, {}, task.cond()
  local base = math.floor(time.now_ms() / 10) % 1e8 * 1000 -- no update_id of a round before
  local begin = time.mono() + 0.2
  local function work()
    local c = assert(tcp.connect("127.0.0.1", tonumber(port)))
    while next_one < total do
      while next_one >= due and next_one < total do go:wait(1) end
      if next_one >= total then break end
      local n = next_one
      next_one = n + 1
      local body = update(base + n)
      local bytes = ("POST /tg/webhook/main HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: %s\r\n"
        .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(secret, #body, body)
      local since = time.mono()
      assert(c:write(bytes))
      local head = assert(c:read("\r\n\r\n", 30))
      assert(c:read(tonumber(head:match "[Ll]ength: (%d+)"), 30))
      local now = time.mono()
      took[#took + 1], late[#late + 1] = (now - since) * 1000, (since - begin - n / rate) * 1000
      if not head:find "^HTTP/1.1 200" then failed = failed + 1 end
    end
    c:close()
  end
  for i = 1, CONNECTIONS do tasks[i] = task.spawn(work) end
  -- One task keeps the time, and wakes a connection for each update that is due.
  while due < total do
    task.sleep(0.001)
    local now_due = math.min(total, math.max(0, math.ceil((time.mono() - begin) * rate)))
    for _ = due + 1, now_due do go:signal() end
    due = now_due
  end
  go:broadcast()
  for i = 1, CONNECTIONS do assert(tasks[i]:join(seconds + 60)) end
  print(("%.2f %.2f %d %.2f %.0f"):format(quantile(took, 0.5), quantile(took, 0.99), failed, quantile(late, 0.99),
    total / (time.mono() - begin)))
end

local name = (...)
assert(parts[name], "api, secret, commit or updates expected")
parts[name](select(2, ...))
return 0
