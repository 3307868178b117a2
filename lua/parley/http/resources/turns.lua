-- /api/v1/turns: what plugins bring after they have answered 202.

local answer = require "parley.plugins.answer"
local app = require "parley.http.app"
local continue = require "parley.turn.continue"
local identity = require "parley.plugins.identity"
local meters = require "parley.ops.meters"
local schema = require "parley.schema.v1alpha"
local task = require "host.task"

local M = {}

-- A plugin may bring its actions before the turn of its 202 is stored: unknown tokens are looked
-- for again after these pauses, in seconds.
local PAUSES = { 0.05, 0.15, 0.3, 0.5 }

local function find(db, hash)
  local row, err = continue.find(db, hash)
  for _, pause in ipairs(PAUSES) do
    if row or err then break end
    task.sleep(pause)
    row, err = continue.find(db, hash)
  end
  if row or err then return row, err end
  return nil, {
    code = "continuation_not_found", message = "no turn of this plugin waits under this token",
  }
end

local function post_actions(deps, ctx)
  local plugin, err = identity.name_of(deps.db, deps.manager.current, ctx.who.id)
  if err then return nil, err end
  if not plugin then
    return nil, { code = "forbidden", message = "the token belongs to no plugin" }
  end
  local row
  row, err = find(deps.db, continue.hash(plugin, ctx.params.token))
  if not row then return nil, err end
  local unknown = answer.trim(ctx.body)
  if #unknown > 0 then meters.plugin_unknown_fields:with(plugin):inc(#unknown) end
  local turn
  turn, err = deps.turn:continue(row, ctx.body, ctx.once)
  if not turn then return nil, err end
  return app.json(ctx, 200, turn.response_text)
end

---@param router table
---@param deps {turn: table, db: table, manager: table}
function M.register(router, deps)
  router:add {
    method = "POST", path = "/api/v1/turns/{token}/actions", auth = "plg",
    summary = "Bring the actions of a turn that was answered 202",
    request = schema.InvokeResponseV1, response = schema.TurnActionsResponseV1,
    statuses = { [200] = "The actions are stored" },
    problems = {
      "continuation_not_found", "continuation_done", "continuation_expired", "conflict",
      "dialog_busy",
    },
    handler = function(ctx) return post_actions(deps, ctx) end,
  }
end

return M
