-- The people of Telegram as users of this host: each has a row, with the name and the language that
-- their client says, and is known for ten minutes without being looked up: in this process, and in
-- Redis, where one is configured, for all of them.

local crypto = require "host.crypto"
local json = require "host.json"
local time = require "host.time"

local M = {}
M.__index = M

local TTL_S = 600
local MAX = 10000 -- in the process; then all are forgotten

---@class parley.TgUserContext
---@field id string
---@field role "user"|"operator"|"admin"
---@field locale string|nil of the client
---@field chosen_locale string|nil what the user has asked for: it goes before that of the client
---@field name string|nil

---@param deps {db: table, shared: table}
function M.new(deps)
  return setmetatable({ db = deps.db, shared = deps.shared, known = {}, count = 0 }, M)
end

---The key of a user in Redis.
---@param telegram_id integer
---@return string
function M.key(telegram_id) return ("tg:user:%.0f"):format(telegram_id) end

---A user has been changed by somebody else: who they are is looked up again.
function M:forget() self.known, self.count = {}, 0 end

local function keep(self, telegram_id, context)
  if not self.known[telegram_id] then
    if self.count >= MAX then self:forget() end
    self.count = self.count + 1
  end
  self.known[telegram_id] = { context = context, ends = time.mono() + TTL_S }
end

-- Whether somebody is known as they say that they are. What they do not say stays.
local function is_same(context, who)
  return (who.name == nil or who.name == context.name)
    and (who.locale == nil or who.locale == context.locale)
end

local function in_process(self, people, found)
  local now, missing = time.mono(), {}
  for id, who in pairs(people) do
    local entry = self.known[id]
    if entry and entry.ends > now and is_same(entry.context, who) then
      found[id] = entry.context
    else
      missing[#missing + 1] = id
    end
  end
  return missing
end

-- What Redis does not know, or cannot say, is looked up in the database.
local function in_redis(self, people, ids, found)
  local client = self.shared:redis_client()
  if not client or #ids == 0 then return ids end
  local keys, missing = {}, {}
  for i, id in ipairs(ids) do keys[i] = M.key(id) end
  local values, err = client:call("MGET", unpack(keys))
  if not values then
    self.shared:failed(err)
    return ids
  end
  for i, id in ipairs(ids) do
    local context = type(values[i]) == "string" and json.decode(values[i])
    if type(context) == "table" and is_same(context, people[id]) then
      found[id] = context
      keep(self, id, context)
    else
      missing[#missing + 1] = id
    end
  end
  return missing
end

local function context_of(row)
  return {
    id = row.id, role = row.role, locale = row.locale, chosen_locale = row.chosen_locale,
    name = row.name,
  }
end

local FIELDS = "id, telegram_id, role, locale, chosen_locale, name"
local FIND = "SELECT " .. FIELDS .. " FROM users WHERE telegram_id IN (%s)"

local WRITE = "INSERT INTO users (id, telegram_id, locale, name, created_at, updated_at) "
  .. "VALUES ($1, $2, COALESCE($3, $6), $4, $5, $5) ON CONFLICT (telegram_id) DO UPDATE SET "
  .. "locale = COALESCE($3, users.locale), name = COALESCE($4, users.name), "
  .. "updated_at = CASE WHEN users.updated_at < $5 THEN $5 ELSE users.updated_at + 1 END "
  .. "RETURNING " .. FIELDS
-- A turn that is under way, or a copy of parley.turn.recall, has the user as they were: its dialog
-- gets another version. One that is held is stored whatever happens.
local OUTDATE = "UPDATE dialogs SET version = version + 1 WHERE lease_owner IS NULL AND user_id = "
  .. "(SELECT id FROM users WHERE telegram_id = $1)"

local function read(self, people, ids, found)
  local marks, different = {}, {}
  for i in ipairs(ids) do marks[i] = "$" .. i end
  local rows, err = self.db:query(FIND:format(table.concat(marks, ", ")), unpack(ids))
  if not rows then return nil, err end
  local there = {}
  for _, row in ipairs(rows) do there[row.telegram_id] = context_of(row) end
  for _, id in ipairs(ids) do
    if there[id] and is_same(there[id], people[id]) then
      found[id] = there[id]
    else
      different[#different + 1] = { id = id, known = there[id] ~= nil }
    end
  end
  return different
end

local function write(self, people, different, found)
  if #different == 0 then return true end
  local statements, now = {}, time.now_ms()
  for i, one in ipairs(different) do
    local who = people[one.id]
    local usual = not one.known and who.usual_locale or nil
    statements[i] = { WRITE, crypto.uuid7(), one.id, who.locale, who.name, now, usual, n = 6 }
  end
  for _, one in ipairs(different) do
    if one.known then statements[#statements + 1] = { OUTDATE, one.id } end
  end
  local results, err = self.db:commit(statements)
  if not results then return nil, err end
  for i, one in ipairs(different) do found[one.id] = context_of(results[i].rows[1]) end
  return true
end

local function share(self, ids, found)
  local client = self.shared:redis_client()
  for _, id in ipairs(ids) do
    keep(self, id, found[id])
    local ok, err = true, nil
    if client then
      ok, err = client:call("SET", M.key(id), json.encode(found[id]), "PX", TTL_S * 1000)
    end
    if not ok then
      self.shared:failed(err)
      client = nil
    end
  end
end

---Who people are. Those who are new get a row, and so does what has changed.
---@param people table<integer, {name: string|nil, locale: string|nil, usual_locale: string}> by
---  telegram_id, at most 100; usual_locale: of whoever is new and states none
---@return table<integer, parley.TgUserContext>|nil found
---@return table|nil err of the database
function M:of(people)
  local found = {}
  local ids = in_redis(self, people, in_process(self, people, found), found)
  if #ids == 0 then return found end
  local different, err = read(self, people, ids, found)
  if not different then return nil, err end
  local ok
  ok, err = write(self, people, different, found)
  if not ok then return nil, err end
  share(self, ids, found)
  return found
end

return M
