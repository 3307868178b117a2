-- Who gets a broadcast: people who have written to the bot, all or some of them, or a list.
--
-- They are walked in the order of the ids of their dialogs, a page at a time, so that the id of the
-- last one says how far it is. Groups and topics are recipients in a list only.

local address = require "parley.channels.telegram.address"
local insert_many = require "parley.store.insert_many"
local json = require "host.json"

local M = {}

M.PAGE = 100 -- recipients of one transaction
local USERS = 200  -- of one query
local PART = 10000 -- recipients of a list, in one transaction

local function fail(path, message)
  return nil, {
    code = "validation_failed", retryable = false, message = path .. ": " .. message,
    errors = { { path = path, code = "audience", message = message } },
  }
end

local LISTS = { "dialogs", "users", "telegram_ids" }
local FILTERS = { "locales", "roles", "plugins", "attributes" }

local function has(audience, names)
  for _, name in ipairs(names) do if audience[name] then return true end end
  return false
end

---Whether the audience names its recipients one by one.
---@param audience table as it was given, or as it is stored: `listed` says how many
---@return boolean
function M.is_list(audience) return audience.listed ~= nil or has(audience, LISTS) end

---@param audience table as BroadcastAudienceV1
---@return boolean|nil ok
---@return table|nil err
function M.check(audience)
  if not (M.is_list(audience) and has(audience, FILTERS)) then return true end
  return fail("/audience", "a list of recipients, or filters: not both")
end

-- lists -------------------------------------------------------------------------------------------

-- The same text for any number of users.
local FIND_USERS = "SELECT id, telegram_id FROM users WHERE id IN ("
for i = 1, USERS do FIND_USERS = FIND_USERS .. (i > 1 and ", $" or "$") .. i end
FIND_USERS = FIND_USERS .. ")"

local function resolve_users(db, bot, ids, add)
  for from = 1, #ids, USERS do
    local part, known = { unpack(ids, from, math.min(from + USERS - 1, #ids)) }, {}
    for i = 1, USERS do part[i] = part[i] or "" end
    local rows, err = db:query(FIND_USERS, unpack(part, 1, USERS))
    if not rows then return nil, err end
    for _, row in ipairs(rows) do known[row.id] = row.telegram_id or false end
    for i = from, math.min(from + USERS - 1, #ids) do
      local telegram_id = known[ids[i]]
      if telegram_id == nil then return fail("/audience/users", "no user '" .. ids[i] .. "'") end
      if not telegram_id then
        return fail("/audience/users", "the user '" .. ids[i] .. "' is not in Telegram")
      end
      add(address.dialog(bot, telegram_id))
    end
  end
  return true
end

---The dialogs that a list names, each once.
---@param db table
---@param bot string
---@param audience table
---@return string[]|nil dialog_ids
---@return table|nil err
function M.resolve(db, bot, audience)
  local out, seen = {}, {}
  local function add(id)
    if not seen[id] then out[#out + 1], seen[id] = id, true end
  end
  for _, id in ipairs(audience.dialogs or {}) do
    local place = address.place(id)
    if not place or place.bot ~= bot or place.business then
      return fail("/audience/dialogs", ("'%s' is no dialog of the bot '%s', like tg:%s:42")
        :format(id, bot, bot))
    end
    add(id)
  end
  for _, id in ipairs(audience.telegram_ids or {}) do add(address.dialog(bot, id)) end
  local ok, err = resolve_users(db, bot, audience.users or {}, add)
  if not ok then return nil, err end
  if #out == 0 then return fail("/audience", "the list is empty") end
  return out
end

---Stores a list, in several transactions: nobody looks at it before its broadcast is stored.
---@param db table
---@param broadcast_id string
---@param dialog_ids string[]
---@return boolean|nil ok
---@return table|nil err
function M.store(db, broadcast_id, dialog_ids)
  for from = 1, #dialog_ids, PART do
    local statements, rows = {}, {}
    for i = from, math.min(from + PART - 1, #dialog_ids) do
      rows[#rows + 1] = { broadcast_id, dialog_ids[i] }
    end
    insert_many("INSERT INTO broadcast_recipients (broadcast_id, dialog_id) VALUES ", 2, rows,
      statements)
    local ok, err = db:commit(statements)
    if not ok then return nil, err end
  end
  return true
end

-- pages -------------------------------------------------------------------------------------------

-- A query that is put together: conditions, and the values of their marks.
local function builder()
  local values = {}
  return values, function(value)
    values[#values + 1] = value
    return "$" .. #values
  end
end

local function one_of(mark, column, list)
  local marks = {}
  for i, value in ipairs(list) do marks[i] = mark(value) end
  return ("%s IN (%s)"):format(column, table.concat(marks, ", "))
end

-- What somebody has asked for goes before what their channel says.
local LOCALE = "COALESCE(u.chosen_locale, u.locale)"

-- uk is uk-UA, too.
local function in_locales(mark, locales)
  local out = {}
  for i, locale in ipairs(locales) do
    local text = locale:lower():gsub("_", "-")
    out[i] = ("(lower(%s) = %s OR lower(%s) LIKE %s)"):format(LOCALE, mark(text), LOCALE,
      mark(text .. "-%"))
  end
  return "(" .. table.concat(out, " OR ") .. ")"
end

-- From where and with which conditions, after this one: for a list, or for people by what is known
-- of them. There is one lower bound: SQLite would begin at the first of two.
local function source(b, mark, after)
  if M.is_list(b.audience) then
    return "broadcast_recipients r LEFT JOIN dialogs d ON d.id = r.dialog_id "
      .. "LEFT JOIN users u ON u.id = d.user_id", "r.dialog_id",
      { "r.broadcast_id = " .. mark(b.id), "r.dialog_id > " .. mark(after) }
  end
  -- People have positive ids: those of groups sort before the first digit.
  local prefix = address.dialog(b.bot, 0):sub(1, -2)
  local where = {
    "d.id > " .. mark(after ~= "" and after or prefix .. "0"), "d.id < " .. mark(prefix .. ":"),
    "d.id NOT LIKE " .. mark(prefix .. "%:%"), "d.created_at <= " .. mark(b.started_at),
  }
  local a = b.audience
  if a.locales then where[#where + 1] = in_locales(mark, a.locales) end
  if a.roles then where[#where + 1] = one_of(mark, "u.role", a.roles) end
  return "dialogs d JOIN users u ON u.id = d.user_id", "d.id", where
end

---How many there are to look at.
---@param db table
---@param b table of parley.broadcasts, started
---@return integer|nil
---@return table|nil err
function M.count(db, b)
  local values, mark = builder()
  local from, _, where = source(b, mark, "")
  local row, err = db:first(("SELECT count(*) AS n FROM %s WHERE %s"):format(from,
    table.concat(where, " AND ")), unpack(values))
  if not row then return nil, err end
  return row.n
end

-- Whether an attribute is this value, or a list that has it.
local function is_or_has(actual, wanted)
  if type(actual) ~= "table" then return actual == wanted end
  for _, value in ipairs(actual) do if value == wanted then return true end end
  return false
end

local function fits_attributes(row, wanted)
  local actual = row.attributes and json.decode(row.attributes)
  for name, value in pairs(wanted) do
    if not actual or not is_or_has(actual[name], value) then return false end
  end
  return true
end

-- Whether one of the plugins keeps a session with this person.
local function fits_plugins(row, plugins)
  if row.has_session then return true end
  local state = row.state and json.decode(row.state) or {}
  for _, name in ipairs(plugins) do if state[name] ~= nil then return true end end
  return false
end

local function fits(row, audience)
  return (not audience.attributes or fits_attributes(row, audience.attributes))
    and (not audience.plugins or fits_plugins(row, audience.plugins))
end

---The next of them.
---@param db table
---@param b table of parley.broadcasts, started
---@param limit integer
---@return {dialog_id: string, locale: string|nil}[]|nil recipients
---@return table|integer examined so many were looked at, fewer than `limit`: they were the last; or
---  the error
---@return string|nil cursor the last that was looked at
function M.page(db, b, limit)
  local values, mark = builder()
  local from, id, where = source(b, mark, b.cursor)
  local columns =
    { id .. " AS dialog_id", "COALESCE(u.chosen_locale, u.locale, d.locale) AS locale" }
  local a = b.audience
  if a.attributes then columns[#columns + 1] = "u.attributes AS attributes" end
  if a.plugins then
    columns[#columns + 1] = "d.state AS state"
    columns[#columns + 1] = ("(SELECT max(1) FROM sessions s WHERE s.user_id = u.id AND %s) "
      .. "AS has_session"):format(one_of(mark, "s.plugin", a.plugins))
  end
  local rows, err = db:query(("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %s"):format(
    table.concat(columns, ", "), from, table.concat(where, " AND "), id, mark(limit)),
    unpack(values))
  if not rows then return nil, err end
  local out = {}
  for _, row in ipairs(rows) do if fits(row, a) then out[#out + 1] = row end end
  return out, #rows, #rows > 0 and rows[#rows].dialog_id or b.cursor
end

local FIND_CLOSED = "SELECT chat_id, state FROM chats WHERE sender = $1 AND state <> 'migrated' "
  .. "AND chat_id IN ("
for i = 1, M.PAGE do FIND_CLOSED = FIND_CLOSED .. (i > 1 and ", $" or "$") .. i + 1 end
FIND_CLOSED = FIND_CLOSED .. ")"

---Those of a page that cannot be written to any more.
---@param db table
---@param bot string
---@param recipients {dialog_id: string}[] at most a page
---@return table<string, string>|nil closed "blocked", "deactivated" or "left", by dialog
---@return table|nil err
function M.closed(db, bot, recipients)
  local chats, out = {}, {}
  for i, r in ipairs(recipients) do chats[i] = address.place(r.dialog_id).chat_id end
  for i = #recipients + 1, M.PAGE do chats[i] = 0 end -- nobody's
  local rows, err = db:query(FIND_CLOSED, "tg:" .. bot, unpack(chats, 1, M.PAGE))
  if not rows then return nil, err end
  local states = {}
  for _, row in ipairs(rows) do states[row.chat_id] = row.state end
  for i, r in ipairs(recipients) do out[r.dialog_id] = states[chats[i]] end
  return out
end

return M
