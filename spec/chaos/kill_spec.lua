-- kill -9 under load, of a worker and of the whole host: what was acknowledged is in the database,
-- exactly once, in order.

local host = require "spec.support.host"
local json = require "host.json"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"
local sqlite = require "host.sqlite"
local task = require "host.task"
local tcp = require "host.tcp"

local ROUNDS = 6
local CLIENTS = 8

local function post(c, token, dialog, id, text)
  local body = json.encode {
    user = { external_id = "u-" .. dialog }, type = "text", text = text, message_id = id,
  }
  local ok = c:write(("POST /api/v1/dialogs/%s/messages HTTP/1.1\r\nHost: x\r\nX-Bot-Token: %s\r\n"
    .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(dialog, token, #body, body))
  if not ok then return nil end
  local head, err = c:read("\r\n\r\n", 5)
  if err then return nil end
  local length = tonumber(head:match "Content%-Length: (%d+)")
  local answer
  answer, err = c:read(length, 5)
  if err then return nil end
  return tonumber(head:match "^HTTP/1.1 (%d+)"), json.decode(answer)
end

describe("kill -9 under load", function()
  it("loses nothing acknowledged, doubles nothing, keeps the order", function()
    local home = host.temp_dir()
    local acked, sent = {}, {}
    local h = serve.start { home = home }
    local token = h.token

    local stop = false
    local clients = {}
    for k = 1, CLIENTS do
      local dialog = "d" .. k
      acked[dialog], sent[dialog] = {}, 0
      clients[k] = task.spawn(function()
        local c
        local n = 1
        while not stop or c == nil do
          c = c or tcp.connect("127.0.0.1", h.port, 1)
          if not c then
            if stop then return end
            task.sleep(0.005)
          else
            -- The same message until it is acknowledged: a retry must not become a second one.
            sent[dialog] = n
            local status, answer = post(c, token, dialog, "m" .. n, "/echo " .. n)
            if status == 200 then
              assert(answer.text == tostring(n), "a wrong answer: " .. json.encode(answer))
              acked[dialog][#acked[dialog] + 1] = n
              n = n + 1
            else
              c:close()
              c = nil
              if stop then return end
            end
          end
        end
        if c then c:close() end
      end)
    end

    for round = 1, ROUNDS do
      task.sleep(0.1 + math.random() * 0.2)
      if round % 2 == 0 then
        programs.kill(serve.eventually("a worker", function()
          local status = h:status()
          return status and status.workers[1].pid
        end), "KILL")
      else
        h:close()
        h = serve.start { home = home }
      end
    end
    task.sleep(0.2)
    stop = true
    for k = 1, CLIENTS do assert(clients[k]:join(20)) end
    h:close()

    local db = assert(sqlite.open { path = home .. "/data/parley.db" })
    local total = 0
    for dialog, list in pairs(acked) do
      assert.is_true(#list > 0)
      total = total + #list
      local rows = db:query("SELECT sender_type, payload FROM messages WHERE dialog_id = $1 ORDER BY id", dialog)
      local seen = {}
      for _, row in ipairs(rows) do
        if row.sender_type == "user" then seen[#seen + 1] = json.decode(row.payload).message_id end
      end
      -- In order, each once; the last one sent may be there without its acknowledgement.
      for i, id in ipairs(seen) do assert.equal("m" .. i, id) end
      assert.is_true(#seen >= #list and #seen <= sent[dialog])
      local state = json.decode(db:first("SELECT state FROM dialogs WHERE id = $1", dialog).state)
      assert.equal(#seen, state.echo.count)
      assert.equal(#seen, db:first("SELECT count(*) AS n FROM plugin_calls WHERE dialog_id = $1", dialog).n)
      assert.equal(#seen, db:first("SELECT count(*) AS n FROM inbox WHERE dialog_id = $1 AND state = 'done'", dialog).n)
    end
    assert.equal(0, db:first("SELECT count(*) AS n FROM inbox WHERE state = 'open'").n)
    assert.is_true(total > 100)
    db:close()
  end)
end)
