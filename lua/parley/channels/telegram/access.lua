-- What whom may do, by the type of the client: a pure function of the configuration, of the bot and
-- of the host.

local M = {}

---@alias parley.ClientType "internal"|"tg_client"|"public"

---internal: an operator or administrator of this host. tg_client: a person, whom Telegram vouches
---for. public: everybody else, like a channel or a group's anonymous administrator.
---@param message table
---@param context parley.TgUserContext|nil of its user, when it is a person
---@return parley.ClientType
function M.client_type(message, context)
  if context and context.role ~= "user" then return "internal" end
  return message.user.telegram_id and "tg_client" or "public"
end

---What holds for a type of client: what the bot says of it, else what the host does.
---@param of_bot table|nil `access` of a bot's settings
---@param of_host table `telegram.access`
---@param client_type parley.ClientType
---@return table|nil policy nil: everything is allowed
function M.policy(of_bot, of_host, client_type)
  return of_bot and of_bot[client_type] or of_host[client_type]
end

local function has(list, name)
  for _, entry in ipairs(list) do
    if entry == name then return true end
  end
  return false
end

---@param policy table|nil of M.policy; nil: everything
---@param message table
---@return boolean
function M.allows(policy, message)
  if not policy then return true end
  if message.type == "event" then return policy.events ~= false end
  if message.type == "callback" then return policy.presses ~= false end
  if message.type == "command" and policy.commands then
    return has(policy.commands, message.payload.command)
  end
  return policy.messages ~= false
end

return M
