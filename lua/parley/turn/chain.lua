-- The action `invoke`: a plugin has another one answer the same event, in the place of the action.
--
-- What each of them has answered stays its own: its session, its jobs, its buttons. One that asks
-- for what cannot be done has failed, like one whose answer is wrong, and its `on_error` says what
-- stands there instead.

local conversation = require "parley.turn.conversation"
local json = require "host.json"
local record = require "parley.turn.record"
local session = require "parley.turn.session"

local M = {}

local DEPTH = 3  -- invocations inside one another
local IN_ALL = 8 -- of one turn: ten who invite ten each would hold their dialog for ever

---@class parley.Part what one plugin has answered, up to the next invitation
---@field plugin parley.Plugin|nil nil: the rules, or the host itself
---@field actions table[]

---@class parley.Invited
---@field by string the plugin that asks
---@field intent string|nil what it asks for

-- How deep a chain is, and whether a plugin is in it already.
local function depth_of(link)
  local n = 0
  while link.by do
    n, link = n + 1, link.by
  end
  return n
end

local function stands_in(link, plugin)
  while link do
    if link.plugin == plugin then return true end
    link = link.by
  end
  return false
end

local function described(action)
  return action.plugin and ("plugin '%s'"):format(action.plugin)
    or ("intent '%s'"):format(action.intent)
end

-- The answer of the first plugin that may be asked and takes the event.
---@return parley.Plugin|nil plugin that has answered, or has failed
---@return table|nil response
---@return string|nil problem of the one that asks, when there is nobody to ask
local function ask(turn, link, action, calls)
  if depth_of(link) >= DEPTH then
    return nil, nil, ("at most %d plugins may be invoked inside one another"):format(DEPTH)
  end
  local problem = ("invoke: no plugin that is enabled can take the %s here"):format(
    described(action))
  for _, plugin in ipairs(calls:find(action)) do
    if stands_in(link, plugin) then
      problem = ("invoke: %s would be invoked in a loop"):format(plugin.name)
    elseif (turn.invited or 0) >= IN_ALL then
      return nil, nil, ("invoke: at most %d in one turn"):format(IN_ALL)
    else
      turn.invited = (turn.invited or 0) + 1
      local response = calls:invoke(plugin, { by = link.plugin.name, intent = action.intent })
      if not (response and response.declined) then return plugin, response end
      problem = ("invoke: %s has declined"):format(plugin.name)
    end
  end
  return nil, nil, problem
end

local unfold

-- What stands in the place of one `invoke`.
local function invite(parts, turn, link, action, calls)
  local plugin, response, problem = ask(turn, link, action, calls)
  if response then return unfold(parts, turn, { plugin = plugin, by = link }, response, calls) end
  if problem then
    plugin = link.plugin
    record.failure(turn, plugin.name, { code = "invalid_response", message = problem })
  end
  local stand_in
  response, stand_in = calls:instead(plugin)
  if not response then return end
  turn.status = stand_in and "fallback" or "failed"
  unfold(parts, turn, { plugin = stand_in, by = link }, response, calls)
end

function unfold(parts, turn, link, response, calls)
  local plugin = link.plugin
  if plugin then
    session.keep(turn, plugin, response)
    conversation.wake(turn, plugin, response)
  end
  local part = { plugin = plugin, actions = json.array() }
  parts[#parts + 1] = part
  for _, action in ipairs(response.actions) do
    if action.type ~= "invoke" then
      part.actions[#part.actions + 1] = action
    else
      invite(parts, turn, link, action, calls)
      part = { plugin = plugin, actions = json.array() }
      parts[#parts + 1] = part
    end
  end
end

---Takes an answer into the turn: its session, and the answers of those that it invites.
---@param turn table
---@param plugin parley.Plugin|nil
---@param response table checked
---@param calls {find: (fun(action: table): parley.Plugin[]), instead: (fun(failed: parley.Plugin):
---  table|nil, parley.Plugin|nil), invoke: fun(plugin: parley.Plugin, invited: parley.Invited):
---  table|nil}
---@return parley.Part[] parts in the order of their actions
function M.unfold(turn, plugin, response, calls)
  local parts = {}
  unfold(parts, turn, { plugin = plugin }, response, calls)
  return parts
end

return M
