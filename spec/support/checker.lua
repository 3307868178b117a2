-- Holds a database against what clients had been told (spec/support/load.lua): every message that was
-- acknowledged is there once, with the answer that was given; each dialog went on in order; nothing happened
-- twice, and nothing is left undone.
--
-- A problem is {kind, dialog, message, words}. The kinds: lost, doubled, answer, order, effect, audit, stuck,
-- refused.

local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}

local PAGE = 5000 -- rows at a time of tables that grow

-- Every row of a table, in the order of its key, without holding all of them.
local function each_row(db, sql, fn)
  local last = ""
  while true do
    local rows = assert(db:query(sql, last, PAGE))
    for _, row in ipairs(rows) do fn(row) end
    if #rows < PAGE then return end
    last = rows[#rows].id
  end
end

local function reporter(problems, dialog)
  return function(kind, message, fmt, ...)
    problems[#problems + 1] = {
      kind = kind, dialog = dialog, message = message, words = select("#", ...) > 0 and fmt:format(...) or fmt,
    }
  end
end

-- The messages of a dialog: of the user by number, of plugins by the message that they answer.
local function read_messages(db, id)
  local users, replies, others = {}, {}, {}
  local rows = assert(db:query("SELECT id, sender_type, payload FROM messages WHERE dialog_id = $1 ORDER BY id", id))
  for _, row in ipairs(rows) do
    local payload = json.decode(row.payload)
    if row.sender_type == "user" then
      local n = tonumber(payload.message_id:match "^m(%d+)$")
      users[n] = users[n] or {}
      table.insert(users[n], row.id)
    elseif payload.in_reply_to then
      local list = replies[payload.in_reply_to] or {}
      replies[payload.in_reply_to] = list
      list[#list + 1] = { id = row.id, text = payload.actions[1] and payload.actions[1].text, status = payload.status }
    else
      others[#others + 1] = row.id
    end
  end
  return users, replies, others
end

local function read_inbox(db, id)
  local inbox = {}
  local rows = assert(db:query("SELECT key, state, response, received_at FROM inbox WHERE dialog_id = $1", id))
  for _, row in ipairs(rows) do
    inbox[row.key] = inbox[row.key] or {}
    table.insert(inbox[row.key], row)
  end
  return inbox
end

-- One message that was acknowledged: stored once, answered once, with what the client got.
local function check_acknowledged(dialog, n, users, replies, inbox, report)
  local name = "m" .. n
  local ids = users[n]
  if not ids then return report("lost", name, "acknowledged, and not in messages") end
  if #ids > 1 then return report("doubled", name, "%d times in messages", #ids) end
  local answers = replies[ids[1]] or {}
  if #answers ~= 1 then
    return report(#answers == 0 and "lost" or "doubled", name, "%d answers in messages", #answers)
  end
  if answers[1].id ~= dialog.reply[n] or answers[1].text ~= dialog.text[n] then
    report("answer", name, "the client got %s '%s', stored is %s '%s'", dialog.reply[n], dialog.text[n],
      answers[1].id, answers[1].text)
  end
  local rows = inbox[name] or {}
  if #rows ~= 1 then
    return report(#rows == 0 and "lost" or "doubled", name, "%d rows in inbox", #rows)
  end
  local kept = rows[1].response and json.decode(rows[1].response)
  if not kept or kept.reply_message_id ~= dialog.reply[n] then
    report("answer", name, "a repetition would not get the first answer")
  end
end

-- What the plugin has counted, by its own count: {n, before, row}. Each count once, without a gap, and each
-- message after the one that the plugin remembered.
local function read_chain(users, replies, inbox, report)
  local chain, most = {}, 0
  for n, ids in pairs(users) do
    for _, id in ipairs(ids) do
      for _, answer in ipairs(replies[id] or {}) do
        local count, before = (answer.text or ""):match "^(%d+) after (%w+)$"
        count = tonumber(count)
        if not count then
          report("order", "m" .. n, "the plugin has not answered it, but: %s", answer.text or answer.status)
        elseif chain[count] then
          report("order", "m" .. n, "count %d was given to m%d too", count, chain[count].n)
        else
          local arrived = inbox["m" .. n] and inbox["m" .. n][1].received_at or 0
          chain[count], most = { n = n, before = before, row = id, arrived = arrived }, math.max(most, count)
        end
      end
    end
  end
  for count = 1, most do
    local link, earlier = chain[count], chain[count - 1]
    if not link then
      report("order", nil, "nothing has count %d of %d", count, most)
    elseif earlier and link.before ~= tostring(earlier.n) then
      report("order", "m" .. link.n, "came after m%s by what the plugin remembered, after m%d by its count",
        link.before, earlier.n)
    end
  end
  return chain, most
end

-- A message that was answered before another was sent has gone before it. Messages that were under way at
-- the same time may stand in any order; in one worker they stand in the order in which they arrived. The ids
-- in messages sort as the dialog went.
local function check_order(dialog, chain, most, by_arrival, report)
  local latest, row, arrived = 0, "", 0
  for count = 1, most do
    local link = chain[count]
    if link then
      local acked, sent = dialog.acked[link.n], dialog.sent[link.n]
      if acked and acked < latest then
        report("order", "m" .. link.n, "answered before one was sent that has gone before it")
      end
      latest = math.max(latest, sent or 0)
      if link.row < row then report("order", "m" .. link.n, "stands before the one that has gone before it") end
      if by_arrival and link.arrived < arrived then
        report("order", "m" .. link.n, "arrived before the one that has gone before it")
      end
      row, arrived = link.row, link.arrived
    end
  end
end

-- What the plugin remembers at the end, and the jobs that it has left: each is done once.
local function check_state(db, dialog, users, most, rings, report)
  local row = assert(db:query("SELECT state FROM dialogs WHERE id = $1", dialog.id))[1]
  local state = row and row.state and json.decode(row.state)[dialog.command] or {}
  if (state.count or 0) ~= most then
    report("order", nil, "the plugin remembers %d messages, its answers say %d", state.count or 0, most)
  end
  local rung = {}
  for _, n in ipairs(state.rung or {}) do rung[tonumber(n)] = (rung[tonumber(n)] or 0) + 1 end
  local jobs = 0
  for n in pairs(users) do
    if rings(dialog.command, n) then
      jobs = jobs + 1
      if rung[n] ~= 1 then report("effect", "m" .. n, "its job was done %d times", rung[n] or 0) end
    end
  end
  return jobs
end

local function check_dialog(db, dialog, o, problems)
  local report = reporter(problems, dialog.id)
  local users, replies, others = read_messages(db, dialog.id)
  local inbox = read_inbox(db, dialog.id)
  local stored = 0
  for n, ids in pairs(users) do
    stored = stored + 1
    if not dialog.sent[n] then report("doubled", "m" .. n, "stored, and never sent") end
    if not dialog.acked[n] and #ids > 1 then report("doubled", "m" .. n, "%d times in messages", #ids) end
  end
  for n = 1, #dialog.sent do
    if dialog.acked[n] then
      check_acknowledged(dialog, n, users, replies, inbox, report)
    else
      report("stuck", "m" .. n, "was never answered")
    end
  end
  local chain, most = read_chain(users, replies, inbox, report)
  check_order(dialog, chain, most, o.by_arrival, report)
  local jobs = check_state(db, dialog, users, most, o.rings, report)
  if #others > 0 then report("effect", nil, "%d messages of plugins that answer nothing", #others) end
  return stored + jobs
end

-- Each call of a plugin once, with one row of the audit for its start and one for its end.
local function check_calls(db, record, expected, problems)
  local ours, calls = {}, {}
  for _, dialog in ipairs(record.dialogs) do ours[dialog.id] = 0 end
  each_row(db, "SELECT id, dialog_id, status FROM plugin_calls WHERE id > $1 ORDER BY id LIMIT $2", function(row)
    if not ours[row.dialog_id] then return end
    calls[row.id] = { dialog = row.dialog_id, status = row.status, started = 0, ended = 0 }
    if row.status == "ok" then ours[row.dialog_id] = ours[row.dialog_id] + 1 end
  end)
  each_row(db, "SELECT id, action, details FROM audit_logs WHERE id > $1 ORDER BY id LIMIT $2", function(row)
    local call = row.details and calls[json.decode(row.details).invocation_id]
    if not call then return end
    local which = row.action == "plugin_invocation_started" and "started" or "ended"
    call[which] = call[which] + 1
  end)
  for id, call in pairs(calls) do
    if call.started ~= 1 or call.ended ~= 1 then
      reporter(problems, call.dialog)("audit", nil, "call %s has %d rows for its start, %d for its end", id,
        call.started, call.ended)
    end
  end
  for dialog, count in pairs(ours) do
    if count ~= expected[dialog] then
      reporter(problems, dialog)(count > expected[dialog] and "doubled" or "lost", nil,
        "%d calls for %d messages and jobs", count, expected[dialog])
    end
  end
end

-- What a vendor has done outside: once for each message, however often it was called.
local function check_acted(record, acted, problems)
  local times = {}
  for _, item in ipairs(acted) do
    local key = item[2] .. " m" .. item[3]
    times[key] = (times[key] or 0) + 1
  end
  for _, dialog in ipairs(record.dialogs) do
    if dialog.command == "act" then
      for n in pairs(dialog.acked) do
        local count = times[("%s m%d"):format(dialog.id, n)] or 0
        if count ~= 1 then reporter(problems, dialog.id)("effect", "m" .. n, "acted on %d times", count) end
      end
    end
  end
end

local LEFT = {
  { "inbox", "SELECT count(*) AS n FROM inbox WHERE state = 'open'" },
  { "jobs", "SELECT count(*) AS n FROM jobs WHERE state = 'open'" },
  { "streams", "SELECT count(*) AS n FROM streams" },
}

---Waits until nothing is under way any more.
---@param db table
---@param seconds number at most
---@return table[] problems what still is
function M.settle(db, seconds)
  local deadline = time.mono() + seconds
  while true do
    local problems = {}
    for _, left in ipairs(LEFT) do
      local n = assert(db:query(left[2]))[1].n
      if n > 0 then reporter(problems)("stuck", nil, "%d rows of %s are not done", n, left[1]) end
    end
    if #problems == 0 or time.mono() > deadline then return problems end
    task.sleep(0.05)
  end
end

local function never() return false end

---@class spec.CheckOptions
---@field by_arrival? boolean one worker has done everything: messages went in the order of arrival
---@field rings? fun(command: string, n: integer): boolean whether message n has left a job
---@field acted? table[] what the vendor's plugin has done: {webhook-id, dialog, number}
---@field settle? number seconds that unfinished work has, default 5

---Call it when the load has stopped.
---@param record table spec.support.load
---@param db table host.sqlite or host.postgres
---@param options spec.CheckOptions|nil
---@return table[] problems empty when everything is as it was promised
function M.check(record, db, options)
  local o = options or {}
  o = { by_arrival = o.by_arrival, rings = o.rings or never, acted = o.acted or {}, settle = o.settle or 5 }
  local problems = M.settle(db, o.settle)
  local report = reporter(problems)
  for what, times in pairs(record.odd) do report("refused", nil, "%d times: %s", times, what) end
  for _, c in ipairs(record.changed) do
    reporter(problems, c.dialog)("answer", c.message, "first %s\nagain %s", c.first, c.again)
  end
  local letters = assert(db:query "SELECT count(*) AS n FROM dead_letters")[1].n
  if letters > 0 then report("lost", nil, "%d dead letters", letters) end
  local expected = {}
  for _, dialog in ipairs(record.dialogs) do expected[dialog.id] = check_dialog(db, dialog, o, problems) end
  check_calls(db, record, expected, problems)
  check_acted(record, o.acted, problems)
  return problems
end

---@param problems table[]
---@return table<string, integer> counts by kind
function M.kinds(problems)
  local kinds = {}
  for _, p in ipairs(problems) do kinds[p.kind] = (kinds[p.kind] or 0) + 1 end
  return kinds
end

---For a person: the first of them.
---@param problems table[]
---@return string
function M.describe(problems)
  local lines = {}
  for i = 1, math.min(#problems, 20) do
    local p = problems[i]
    lines[i] = ("%s: %s %s %s"):format(p.kind, p.dialog or "-", p.message or "-", p.words)
  end
  if #problems > #lines then lines[#lines + 1] = ("and %d more"):format(#problems - #lines) end
  return table.concat(lines, "\n")
end

return M
