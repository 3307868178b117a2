-- A broadcast as it is stored, and as it is shown.

local json = require "host.json"
local time = require "host.time"

local M = {}

---@class parley.Broadcast
---@field id string
---@field bot string
---@field label string|nil
---@field state "draft"|"scheduled"|"running"|"paused"|"done"|"cancelled"
---@field locale string of those whose own is not there
---@field actions table[]
---@field audience table
---@field cursor string the dialog that was looked at last
---@field exhausted integer 1: all have been looked at
---@field candidates integer|nil so many are to be looked at; nil: nobody has counted them yet
---@field examined integer
---@field taken integer recipients among them
---@field sent integer
---@field blocked integer
---@field failed integer
---@field uncertain integer
---@field per_minute integer how fast it goes just now

local COLUMNS = "id, bot, label, state, live, locale, actions, audience, cursor, exhausted, "
  .. "candidates, examined, taken, sent, blocked, failed, uncertain, per_minute, trace_id, "
  .. "created_by, created_at, start_at, started_at, finished_at"

local function read(row)
  row.actions, row.audience = json.decode(row.actions), json.decode(row.audience)
  return row
end

---@param db table
---@param id string
---@return parley.Broadcast|nil
---@return table|nil err "broadcast_not_found"
function M.get(db, id)
  local row, err
  if id:find "^[%w-]+$" and #id <= 64 then
    row, err = db:first("SELECT " .. COLUMNS .. " FROM broadcasts WHERE id = $1", id)
    if err then return nil, err end
  end
  if row then return read(row) end
  return nil, {
    code = "broadcast_not_found", retryable = false,
    message = "no broadcast '" .. id:sub(1, 40):gsub("[^%w-]", "?") .. "'",
  }
end

---@param db table
---@param before string|nil the newest first, those before this id
---@param limit integer
---@return parley.Broadcast[]|nil
---@return table|nil err
function M.list(db, before, limit)
  local rows, err = db:query("SELECT " .. COLUMNS
    .. " FROM broadcasts WHERE id < $1 ORDER BY id DESC LIMIT $2", before or "~", limit)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do read(row) end
  return rows
end

---Those for which there is something to do.
---@param db table
---@return parley.Broadcast[]|nil
---@return table|nil err
function M.live(db)
  local rows, err =
    db:query("SELECT " .. COLUMNS .. " FROM broadcasts WHERE live = 1 ORDER BY id")
  if not rows then return nil, err end
  for _, row in ipairs(rows) do read(row) end
  return rows
end

---@param b parley.Broadcast
---@return table statement
function M.insert(b)
  return {
    "INSERT INTO broadcasts (id, bot, label, state, locale, actions, audience, trace_id, "
      .. "created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    b.id, b.bot, b.label, b.state, b.locale, json.encode(b.actions), json.encode(b.audience),
    b.trace_id, b.created_by, b.created_at, n = 10,
  }
end

-- How many recipients may still come: what was found among those that were looked at goes for the
-- rest, too.
local function ahead(b)
  if b.exhausted == 1 or not b.candidates then return 0 end
  local share = b.examined > 0 and b.taken / b.examined or 1
  return math.max(b.candidates - b.examined, 0) * share
end

local function eta_seconds(b, on_the_way)
  if b.state ~= "running" or b.per_minute == 0 or not b.candidates then return nil end
  return math.ceil((ahead(b) + on_the_way) * 60 / b.per_minute)
end

local function percent(b, finished)
  if b.state == "done" then return 100 end
  local all = ahead(b) + b.taken
  return all > 0 and math.floor(1000 * finished / all) / 10 or 0
end

local function time_of(ms) return ms and time.rfc3339(ms) end

---@param b parley.Broadcast
---@return table BroadcastV1
function M.view(b)
  local finished = b.sent + b.blocked + b.failed + b.uncertain
  local on_the_way = b.taken - finished
  return {
    id = b.id, bot = b.bot, label = b.label, state = b.state, locale = b.locale,
    actions = json.array(b.actions), audience = b.audience,
    progress = {
      candidates = b.candidates, examined = b.examined, recipients = b.taken, sent = b.sent,
      blocked = b.blocked, failed = b.failed, uncertain = b.uncertain, on_the_way = on_the_way,
      percent = percent(b, finished), per_minute = b.state == "running" and b.per_minute or 0,
      eta_seconds = eta_seconds(b, on_the_way),
    },
    created_by = b.created_by, created_at = time.rfc3339(b.created_at),
    start_at = time_of(b.start_at), started_at = time_of(b.started_at),
    finished_at = time_of(b.finished_at), trace_id = b.trace_id,
  }
end

return M
