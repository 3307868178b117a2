-- A press on a menu that the host answers: it is stale, or it opens another menu. The plugin is
-- asked to describe the menu, as it is now, by an event of type `menu`.

local json = require "host.json"
local menus = require "parley.turn.menus"
local notices = require "parley.turn.notices"

local M = {}

local function part(...) return { actions = json.array { ... } } end

-- The parts of the answer of whoever describes the menu. One that the plugin does not know any more
-- is taken away.
local function open(turn, generation, calls, menu)
  local plugin = generation.chooser.by_name[turn.dialog.state.__menu.plugin]
  if not plugin or plugin.state == "disabled" then return nil end
  turn.menu_asked = menu
  local response, err = calls:invoke(plugin)
  if response and not response.declined then return calls:settle(response, plugin) end
  if response then return { part { type = "menu", close = true } } end
  turn.failed, turn.status, turn.menu_asked = err, "failed", nil
  response, plugin = calls:instead(plugin)
  return response and calls:settle(response, plugin) or {}
end

---Answers the press, when it is not for the plugins as it is.
---@param turn table
---@param generation parley.Generation
---@param calls table of parley.turn.invoke
---@return parley.Part[]|nil parts nil: the plugins are asked
function M.answer(turn, generation, calls)
  local kind, menu = menus.press(turn)
  if not kind or kind == "data" then return nil end
  turn.status, turn.plugin = "answered", generation.chooser.by_name[turn.message.payload.plugin]
  if kind == "again" then return {} end
  if kind == "close" then return { part { type = "menu", close = true } } end
  local parts = menu and open(turn, generation, calls, menu)
  if kind == "stale" or not parts then
    turn.stale_message = kind == "stale" and turn.message.payload.message_id or nil
    turn.menu_result = "stale"
    parts = parts or {}
    local text = notices.text("stale", turn.user.locale)
    table.insert(parts, 1, part { type = "answer_callback", text = text })
  end
  return parts
end

return M
