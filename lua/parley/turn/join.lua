-- Messages that are one to whoever has sent them, like the photos of an album, and come one by one:
-- each is durable on its own, with a name that they share (inbox.part_of), and the first whose turn
-- it is waits for the others, in the lane, so that what was written after them comes after them.
--
-- What comes after they were joined is a message of its own: the first one may have been answered.
--
-- Joining is a transaction of its own: the first row becomes the whole message, the others are
-- done. Before it all of them are open, and whoever takes one up joins them; after it there is one.

local crypto = require "host.crypto"
local json = require "host.json"
local task = require "host.task"
local time = require "host.time"

local M = {}

---@type number seconds after the last one; a spec may need more
M.WINDOW_S = 0.5

-- After a crash the others may be where they come from still: Telegram brings them when the bot is
-- polled again, which a lease of four seconds stands before, or at the next attempt of a webhook.
---@type number seconds for the first of them to come, since the parts of all were taken up
M.AGAIN_S = 10

local MAX = 10

local FIND = "SELECT key, payload, received_at FROM inbox WHERE dialog_id = $1 AND part_of = $2 "
  .. "AND source = $3 AND state = 'open' ORDER BY received_at, "
  .. "length(key), key LIMIT $4"

local HEAD = "UPDATE inbox SET payload = $4, body_hash = $5, owner = $6, part_of = NULL "
  .. "WHERE source = $1 AND key = $2 AND part_of = $3 AND state = 'open'"
local REST = "UPDATE inbox SET payload = NULL, state = 'done', part_of = NULL "
  .. "WHERE source = $1 AND part_of = $2 AND state = 'open' AND key IN (%s)"

-- Until no more have come for a while. How old they are says the clock of whoever has stored them,
-- which may be wrong: nobody waits for longer than they could take.
local function gather(deps, row)
  local since, before = time.mono(), nil
  while true do
    local rows, err = deps.db:query(FIND, row.dialog_id, row.part_of, row.source, MAX)
    if not rows then return nil, err end
    local newest = 0
    for _, part in ipairs(rows) do newest = math.max(newest, part.received_at) end
    before = before or #rows
    local now = time.mono()
    local waited = now - since
    local left = math.max(M.WINDOW_S - waited, (newest - time.now_ms()) / 1000 + M.WINDOW_S)
    if row.left and #rows == before then left = math.max(left, row.left + M.AGAIN_S - now) end
    local most = MAX * M.WINDOW_S + (row.left and M.AGAIN_S or 0)
    if #rows == 0 or #rows == MAX or left <= 0 or waited > most then return rows end
    task.sleep(math.min(left, M.WINDOW_S))
  end
end

-- Keys count: a shorter one is an earlier one.
local function sort(rows)
  table.sort(rows, function(a, b)
    if #a.key ~= #b.key then return #a.key < #b.key end
    return a.key < b.key
  end)
end

local function item_of(message)
  local item = {}
  for name, value in pairs(message.payload or {}) do item[name] = value end
  local channel = message.context and message.context[message.channel]
  item.type, item.text, item.group = message.type, message.text, nil
  item.message_id = channel and channel.message_id
  return item
end

-- The first message, with what is in all of them as `payload.items`.
local function merge(rows)
  local whole, items = nil, json.array()
  for i, row in ipairs(rows) do
    local message = json.decode(row.payload)
    whole = whole or message
    items[i] = item_of(message)
    whole.text = whole.text or message.text
  end
  whole.payload.items = items
  return whole
end

local function statements(deps, row, rows, text, hash)
  local head, marks, keys = rows[1], {}, {}
  for i = 2, #rows do
    marks[i - 1], keys[i - 1] = "$" .. i + 1, rows[i].key
  end
  local out = {
    { HEAD, row.source, head.key, row.part_of, text, hash, deps.owner, expect = 1 },
  }
  if #keys > 0 then
    out[2] = {
      REST:format(table.concat(marks, ", ")), row.source, row.part_of, expect = #keys, unpack(keys),
    }
  end
  return out
end

---Joins a message with those that belong to it. It waits for them: call it in the lane.
---@param deps {db: table, owner: string}
---@param row table of inbox, open, with `part_of`; `left`: when it was taken up, on
---  time.mono, that a worker has left which went down
---@return table|nil whole a row for the turn of all; nil without err: it was joined before
---@return table|nil err
function M.run(deps, row)
  while true do
    local rows, err = gather(deps, row)
    if not rows then return nil, err end
    local is_there = false
    for _, part in ipairs(rows) do is_there = is_there or part.key == row.key end
    if not is_there then return nil end
    sort(rows)
    local text = json.encode(merge(rows))
    local hash = crypto.hex(crypto.sha256(text)):sub(1, 32)
    local ok
    ok, err = deps.db:commit(statements(deps, row, rows, text, hash))
    if ok then
      return {
        source = row.source, key = rows[1].key, dialog_id = row.dialog_id, payload = text,
        body_hash = hash, trace_id = row.trace_id, received_at = rows[1].received_at,
      }
    end
    -- Another worker was faster with one of them: it is looked up again what there is.
    if err.code ~= "conflict" then return nil, err end
  end
end

return M
