-- What workers have found out about the bot of the settings (`telegram.token`), which has no row in
-- `bots`: so that whoever asks - another worker, the command line - knows it, too.

local json = require "host.json"
local time = require "host.time"

local M = {}

---@param bot parley.Bot
---@param problem table|nil {code, message, since}; nil: nothing is known to be wrong
---@return table statement
function M.write(bot, problem)
  return {
    "INSERT INTO bot_notes (name, telegram_id, username, problem, noted_at) "
      .. "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET "
      .. "telegram_id = excluded.telegram_id, username = excluded.username, "
      .. "problem = excluded.problem, noted_at = excluded.noted_at",
    bot.name, bot.id, bot.username, problem and json.encode(problem), time.now_ms(), n = 5,
  }
end

---@param db table
---@param name string
---@param telegram_id integer|nil of the token that is set now: of another one nothing is known
---@return {username: string|nil, problem: table|nil} notes
---@return table|nil err
function M.read(db, name, telegram_id)
  local row, err = db:first("SELECT telegram_id, username, problem FROM bot_notes WHERE name = $1",
    name)
  if not row or row.telegram_id ~= telegram_id then return {}, err end
  return { username = row.username, problem = row.problem and json.decode(row.problem) }
end

return M
