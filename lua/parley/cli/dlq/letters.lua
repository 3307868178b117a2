-- What the commands of `parley dlq` have in common.

local database = require "parley.cli.database"
local dead_letters = require "parley.store.dead_letters"
local exit = require "parley.cli.exit"
local options = require "parley.cli.options"

local M = { BY = "cli" }

M.kind = {
  name = "kind", value = "KIND", help = "only these: " .. table.concat(dead_letters.KINDS, ", "),
  check = options.one_of(dead_letters.KINDS),
}

---@param fn fun(db: table): integer exit code
---@return integer exit code
function M.with(o, fn) return database.with(o, { existing = true }, fn) end

---Says what has gone wrong: that there is no such letter is an answer, not a failure.
---@param err table
---@return integer exit code
function M.failed(err)
  local code = exit.failed(err)
  local is_answer = err.code == "dead_letter_not_found" or err.code == "conflict"
  return is_answer and exit.NO or code
end

---Orders something for each of many letters, and goes on after one for which it fails.
---@param ids string[]
---@param order fun(id: string): table|nil, table|nil
---@return string[] done
---@return integer exit code
function M.each(ids, order)
  local done, code = {}, exit.DONE
  for _, id in ipairs(ids) do
    local row, err = order(id)
    if row then done[#done + 1] = id else code = M.failed(err) end
  end
  return done, code
end

return M
