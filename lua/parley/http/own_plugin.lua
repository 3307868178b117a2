-- A plugin's own paths are for its own token alone: not for that of another plugin, nor for an
-- operator's, because what comes here is taken as the plugin's word.

local identity = require "parley.plugins.identity"

---@param core {db: table, manager: table}
---@param ctx table parley.http.app; params.plugin_id says which
---@return string|nil plugin_id
---@return table|nil err the same whether the plugin is another's or nobody's
return function(core, ctx)
  local id = ctx.params.plugin_id
  local name, err = identity.name_of(core.db, core.manager.current, ctx.who.id)
  if err then return nil, err end
  if name == id then return id end
  return nil, {
    code = "forbidden", message = "this is not the token of the plugin '" .. id:sub(1, 40) .. "'",
  }
end
