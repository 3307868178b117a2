-- PostgreSQL is away for a while: every request is told at once to come later, nothing piles up, and when it is back
-- the same processes go on.

local json = require "host.json"
local programs = require "spec.support.process"
local rig = require "spec.chaos.rig"
local task = require "host.task"
local tcp = require "host.tcp"

local AT_ONCE = 50
local HANG_S = 30 -- for a hang only

-- The head of an answer to a message, and its body.
local function ask(r, id)
  local body = ('{"user":{"external_id":"u"},"type":"text","text":"/tally 1","message_id":"%s"}'):format(id)
  local c = assert(tcp.connect("127.0.0.1", r.instances[1].port, 30))
  assert(c:write(("POST /api/v1/dialogs/%s/messages HTTP/1.1\r\nHost: x\r\nX-Bot-Token: %s\r\nConnection: close\r\n"
    .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(id, r.token, #body, body)))
  local head = assert(c:read("\r\n\r\n", HANG_S))
  local text = assert(c:read(tonumber(head:match "Content%-Length: (%d+)"), HANG_S))
  c:close()
  return head, json.decode(text)
end

local function answered(r, id)
  return programs.eventually("an answer", function()
    local head = ask(r, id)
    return head:find "^HTTP/1.1 200" and head
  end, HANG_S)
end

describe("PostgreSQL that is away", function()
  local r, workers
  setup(function()
    r = rig.start { postgres = true }
    answered(r, "before")
    workers = programs.children(r.instances[1].h.pid)
  end)
  teardown(function() r:close() end)

  local AWAY = {
    ["was killed"] = { function() r.postgres:kill() end, function() r.postgres:again() end },
    ["cannot be reached"] = {
      function()
        r.postgres_link:refuse()
        r.postgres_link:reset()
      end,
      function() r.postgres_link:pass() end,
    },
    ["stands still"] = { function() r.postgres:pause() end, function() r.postgres:resume() end },
  }
  for how, change in pairs(AWAY) do
    it("because it " .. how .. " gets everybody 503 with Retry-After, and is used again by itself", function()
      local name = how:gsub(" ", "-")
      finally(change[2])
      change[1]()
      -- Whoever asks until it is noticed may have to wait: until it is noticed, or until the server goes on.
      local early = {}
      programs.eventually("a refusal", function()
        early[#early + 1] = task.spawn(ask, r, ("early%d-%s"):format(#early, name))
        local ended, head = early[#early]:join(0.2)
        return ended and head:find "^HTTP/1.1 503 "
      end)
      for i = 1, AT_ONCE do
        local head, body = ask(r, ("away%d-%s"):format(i, name))
        assert.matches("^HTTP/1.1 503 ", head)
        -- Where the server is stands in the log, and not in what strangers get.
        assert.same({ "unavailable", "the database cannot be reached now" }, { body.code, body.detail })
        assert.matches("\r\nRetry%-After: %d+\r\n", head)
      end
      change[2]()
      for _, waiting in ipairs(early) do
        local ok, head = waiting:join(HANG_S)
        assert.is_true(ok, head)
        assert.matches("^HTTP/1.1 [25]0[03] ", head)
      end
      answered(r, "after-" .. name)
      assert.same(workers, programs.children(r.instances[1].h.pid))
    end)
  end
end)
