-- Loading what a turn needs to know: the dialog, its user, an earlier answer to the same message.

local crypto = require "host.crypto"
local json = require "host.json"
local time = require "host.time"

local M = {}

local FIND_USER = {
  telegram_id = "SELECT * FROM users WHERE telegram_id = $1",
  external_id = "SELECT * FROM users WHERE external_id = $1",
  id = "SELECT * FROM users WHERE id = $1",
}

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

---@param who table one of id, telegram_id, external_id
---@return table|nil user made when nobody has this telegram_id or external_id yet
---@return table|nil err "not_found" for an id that nobody has
function M.user(db, who, locale)
  for _, key in ipairs { "id", "telegram_id", "external_id" } do
    if who[key] ~= nil then
      local row, err = db:first(FIND_USER[key], who[key])
      if err then return nil, err end
      if row then return row end
      if key == "id" then
        return nil, { code = "user_not_found", status = 404, message = "no user has this id" }
      end
      return create_user(db, who, key, locale)
    end
  end
end

---@return table|nil dialog nil without an error when there is none
---@return table|nil err
function M.dialog(db, id)
  local row, err = db:first("SELECT * FROM dialogs WHERE id = $1", id)
  if not row then return nil, err end
  row.state = row.state and json.decode(row.state) or {}
  return row
end

function M.new_dialog(id, message)
  return {
    id = id, channel = message.channel or "api", locale = message.locale, status = "active",
    reset_version = 0, state = {}, version = 0, is_new = true,
  }
end

---The answer that the same message got before.
---@return table|nil row {state, body_hash, response}
function M.earlier(db, source, key)
  return db:first("SELECT state, body_hash, response, payload, trace_id, received_at, attempts "
    .. "FROM inbox WHERE source = $1 AND key = $2", source, key)
end

return M
