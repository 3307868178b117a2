-- Holds what people were told in the simulated Telegram, and the database, against what they wrote: every update was
-- taken once, in the order of its chat; every message has its answer; an answer that came twice is on record as one
-- that might.
--
-- Problems are those of spec/support/checker.lua: {kind, dialog, message, words}.

local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}

local function last_of(person)
  local last = person.heard[#person.heard]
  return last and last.count or 0
end

---Waits until everybody has the answer to the last message.
---@param people table[]
---@param seconds number at most
function M.settle(people, seconds)
  local deadline = time.mono() + seconds
  while time.mono() < deadline do
    local missing = 0
    for _, person in ipairs(people) do
      if last_of(person) < person.sent then missing = missing + 1 end
    end
    if missing == 0 then return end
    task.sleep(0.05)
  end
end

-- The texts of a dialog that may have been sent twice, as the outbox has it.
local function uncertain_texts(db, dialog_id)
  local texts = {}
  local rows = assert(db:query("SELECT params FROM outbox WHERE dialog_id = $1 AND uncertain = 1", dialog_id))
  for _, row in ipairs(rows) do texts[json.decode(row.params).text or ""] = true end
  return texts
end

-- Returns how many of the answers came more than once.
local function check_person(db, person, dialog_id, report)
  local uncertain, expected, repeated, seen = uncertain_texts(db, dialog_id), 1, 0, {}
  for _, heard in ipairs(person.heard) do
    if heard.count == expected and heard.before == (expected > 1 and tostring(expected - 1) or "none") then
      expected = expected + 1
    elseif heard.count ~= expected - 1 then
      report("order", dialog_id, heard.text, "came when number %d was to come", expected)
      expected = math.max(expected, (heard.count or 0) + 1)
    else
      if not seen[heard.text] then repeated = repeated + 1 end
      seen[heard.text] = true
      if not uncertain[heard.text] then
        report("doubled", dialog_id, heard.text, "was said twice, and is not on record as uncertain")
      end
    end
  end
  if expected <= person.sent then
    report("lost", dialog_id, nil, "answers to %d of %d messages", expected - 1, person.sent)
  end
  return repeated
end

local function count(db, sql, ...) return assert(db:query(sql, ...))[1].n end

-- Nothing of a bot is left undone, and it was not more than what people have written.
local function check_bot(db, people, bot, name, report)
  local source = "tg:" .. name
  local open = count(db, "SELECT count(*) AS n FROM inbox WHERE source = $1 AND state <> 'done'", source)
  if open > 0 then report("stuck", nil, nil, "%d updates of %s are not done", open, name) end
  open = count(db, "SELECT count(*) AS n FROM outbox WHERE sender = $1 AND state = 'open'", source)
  if open > 0 then report("stuck", nil, nil, "%d messages of %s are not sent", open, name) end
  local dead = count(db, "SELECT count(*) AS n FROM outbox WHERE sender = $1 AND state = 'dead'", source)
  if dead > 0 then report("lost", nil, nil, "%d messages of %s were given up", dead, name) end
  local taken = 0
  for _, person in ipairs(people.people) do
    if person.bot == bot then
      taken = taken + count(db, "SELECT count(*) AS n FROM inbox WHERE dialog_id = $1",
        ("tg:%s:%d"):format(name, person.user.id))
    end
  end
  if taken ~= people.written[bot] then
    report(taken < people.written[bot] and "lost" or "doubled", nil, nil, "%d updates of %s in the inbox, %d were made",
      taken, name, people.written[bot])
  end
end

---Call it when the people have stopped, and were waited for.
---@param people table spec.chaos.telegram_people
---@param db table host.sqlite or host.postgres
---@param names table<table, string> what the host calls each bot of the simulator
---@return table[] problems
function M.check(people, db, names)
  task.sleep(0.3) -- the last deliveries are noted after they were heard
  local problems = {}
  local function report(kind, dialog, message, fmt, ...)
    problems[#problems + 1] = { kind = kind, dialog = dialog, message = message, words = fmt:format(...) }
  end
  local repeated = 0
  for _, person in ipairs(people.people) do
    repeated = repeated + check_person(db, person, ("tg:%s:%d"):format(names[person.bot], person.user.id), report)
  end
  for bot in pairs(people.written) do check_bot(db, people, bot, names[bot], report) end
  local said = count(db, "SELECT count(*) AS n FROM audit_logs WHERE action = 'delivery_repeated'")
  if said < repeated then
    report("audit", nil, nil, "%d answers were repeated, the audit has %d", repeated, said)
  end
  return problems
end

return M
