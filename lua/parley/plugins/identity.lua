-- Which plugin a token of kind plg belongs to: one that has registered has its own, for one of the
-- configuration the operator names the id of a token (plugins.NAME.token_id).

local M = {}

local FIND = "SELECT name FROM plugins WHERE token_id = $1"

---@param db table
---@param generation parley.Generation
---@param token_id string
---@return string|nil name nil without an error: it is nobody's
---@return table|nil err
function M.name_of(db, generation, token_id)
  for _, plugin in ipairs(generation.plugins) do
    if plugin.settings.token_id == token_id then return plugin.name end
  end
  local row, err = db:first(FIND, token_id)
  return row and row.name, err
end

return M
