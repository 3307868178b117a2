-- Loading what a turn needs to know: the dialog, its user, an earlier answer to the same message.
-- One query for all: each is a round trip to a reader's thread, and every message pays for it.

local crypto = require "host.crypto"
local json = require "host.json"
local new_table = require "table.new"
local time = require "host.time"

local M = {}

local DIALOG = {
  "user_id", "channel", "locale", "status", "reset_version", "state", "version",
  "last_message_at", "lease_owner",
}
local USER = { "id", "telegram_id", "external_id", "role", "locale", "name", "chosen_locale" }
local EARLIER = { "state", "body_hash", "response", "received_at" }

local function columns(out, prefix, names)
  for _, name in ipairs(names) do
    out[#out + 1] = ("%s.%s AS %s_%s"):format(prefix, name, prefix, name)
  end
end

-- The query for a user that is found by `u.<key> = $2`, or is the dialog's.
local function query_for(condition, with_earlier)
  local out = {}
  columns(out, "d", DIALOG)
  columns(out, "u", USER)
  if with_earlier then columns(out, "e", EARLIER) end
  return "SELECT " .. table.concat(out, ", ") .. " FROM (SELECT 1) AS one "
    .. "LEFT JOIN dialogs d ON d.id = $1 LEFT JOIN users u ON " .. condition
    .. (with_earlier and " LEFT JOIN inbox e ON e.source = $3 AND e.key = $4" or "")
end

local KEYS = { "id", "telegram_id", "external_id" }
local PLAIN, WITH_EARLIER, IN_ORDER = {}, {}, {}
-- Whether another message of the dialog is open whose key counts before this one's.
local BEFORE = "SELECT CASE WHEN EXISTS (SELECT 1 FROM inbox b WHERE b.dialog_id = $1 "
  .. "AND b.state = 'open' AND b.source = $3 AND (length(b.key) < length($4) "
  .. "OR (length(b.key) = length($4) AND b.key < $4))) THEN 1 ELSE 0 END AS is_not_next, "
for _, key in ipairs(KEYS) do
  PLAIN[key] = query_for("u." .. key .. " = $2", false)
  WITH_EARLIER[key] = query_for("u." .. key .. " = $2", true)
  IN_ORDER[key] = WITH_EARLIER[key]:gsub("^SELECT ", BEFORE)
end
local OF_DIALOG = query_for("u.id = d.user_id", false)
local OF_JOB = OF_DIALOG:gsub("^SELECT ",
    "SELECT j.state AS j_state, j.attempts AS j_attempts, e.state AS e_state, ")
  .. " LEFT JOIN jobs j ON j.id = $2 LEFT JOIN inbox e ON e.source = $3 AND e.key = $4"

-- What picks the columns of one table out of a row. Their names in the row are made once: a turn
-- reads two dozen.
local function picker(prefix, names)
  local keys = {}
  for i, name in ipairs(names) do keys[i] = prefix .. "_" .. name end
  return function(row)
    local out = new_table(0, #keys + 1)
    for i = 1, #keys do out[names[i]] = row[keys[i]] end
    return out
  end
end

local dialog_of, user_of, earlier_of = picker("d", DIALOG), picker("u", USER), picker("e", EARLIER)

-- At once and not with the turn: the first two messages of somebody may come in two dialogs at the
-- same time, and both must end up with one user.
local function create_user(db, who, key, locale)
  local results, err = db:commit {
    {
      ("INSERT INTO users (id, %s, locale, name, created_at, updated_at) "
        .. "VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (%s) DO UPDATE SET updated_at = $5 "
        .. "RETURNING *"):format(key, key),
      crypto.uuid7(), who[key], who.locale or locale, who.name, time.now_ms(), n = 5,
    },
  }
  if not results then return nil, err end
  return results[1].rows[1]
end

local function new_dialog(id, message)
  return {
    id = id, channel = message.channel or "api", locale = message.locale, status = "active",
    reset_version = 0, state = {}, version = 0, is_new = true,
  }
end

local function key_of(who)
  for _, key in ipairs(KEYS) do
    if who[key] ~= nil then return key end
  end
end

---@param db table
---@param turn table `message`, or none when the dialog must be there; `refused`: the err for a
---  message that has no earlier answer
---@param locale string of a user that is new
---@return {dialog: table, user: table, earlier: table|nil, is_not_next: boolean}|nil loaded
---  is_not_next: of an `ordered` turn, that a message of its dialog is open which came before
---@return table|nil err "user_not_found" for an id that nobody has
function M.turn(db, turn, locale)
  local row, err, who, key
  if turn.job then
    row, err = db:first(OF_JOB, turn.dialog_id, turn.job.id, turn.source, turn.key)
    if row and (row.j_state ~= "open" or row.j_attempts ~= turn.job.attempts) then
      return nil, { code = "conflict", message = "the job was fired before", retryable = false }
    end
    turn.admitted = row and row.e_state == "open"
  elseif not turn.message then
    row, err = db:first(OF_DIALOG, turn.dialog_id)
  else
    who = turn.message.user
    key = key_of(who)
    if turn.keyed or turn.again then
      local sql = (turn.ordered and IN_ORDER or WITH_EARLIER)[key]
      row, err = db:first(sql, turn.dialog_id, who[key], turn.source, turn.key)
    else
      row, err = db:first(PLAIN[key], turn.dialog_id, who[key])
    end
  end
  if not row then return nil, err end
  local out = {
    earlier = turn.message and row.e_state and earlier_of(row),
    is_not_next = row.is_not_next == 1,
  }
  if turn.refused and not out.earlier then return nil, turn.refused end
  if row.d_user_id then
    out.dialog = dialog_of(row)
    out.dialog.id = turn.dialog_id
    out.dialog.state = row.d_state and json.decode(row.d_state) or {}
  elseif not turn.message then
    return nil, { code = "not_found", message = "the dialog is gone", retryable = false }
  else
    out.dialog = new_dialog(turn.dialog_id, turn.message)
  end
  if row.u_id then
    out.user = user_of(row)
    return out
  end
  if key == "id" then
    return nil, { code = "user_not_found", status = 404, message = "no user has this id" }
  end
  out.user, err = create_user(db, who, key, locale)
  if not out.user then return nil, err end
  return out
end

return M
