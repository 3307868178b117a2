-- What the triggers do: one worker of all takes the events that are marked for them, in order, and
-- carries out the actions in the transaction that takes the mark away. So an event is handled once,
-- also when a worker goes down in between.

local actions = require "parley.triggers.actions"
local json = require "host.json"
local log = require "parley.ops.log"

local M = {}

local LOOK_S = 0.2
local AT_ONCE = 50
local AGAIN_S = 1 -- when the database cannot be used

local FIND = "SELECT id, source, action, severity, trace_id, details, created_at AS at "
  .. "FROM audit_logs WHERE signal = 1 ORDER BY id LIMIT $1"

local function handled(event)
  return {
    "UPDATE audit_logs SET signal = NULL WHERE id = $1 AND signal = 1", event.id, expect = 1,
  }
end

-- What one trigger adds to the transaction. An action that cannot be done keeps no other from it.
local function add(core, fired, event, statements, after)
  local trigger, kinds = fired.trigger, json.array()
  for _, action in ipairs(trigger.act) do
    local more, result = actions.plan(core, action, trigger, event)
    if more then
      kinds[#kinds + 1] = action.kind
      for _, s in ipairs(more) do statements[#statements + 1] = s end
      after[#after + 1] = result
    else
      log.write("error", "a trigger cannot do what it says", {
        trigger = trigger.id, action = action.kind, error = result.message,
        trace_id = event.trace_id,
      })
      statements[#statements + 1] = actions.note(trigger, event, "trigger_failed", "error",
        { action = action.kind, message = result.message })
    end
  end
  statements[#statements + 1] = actions.note(trigger, event, "trigger_fired", event.severity,
    { count = fired.count, actions = kinds })
  after[#after + 1] = fired.done
end

-- What no repetition mends must not keep all other events waiting.
local function give_up(core, lease, event, list, err)
  local statements = { lease:guard(), handled(event) }
  for i, fired in ipairs(list) do
    statements[i + 2] = actions.note(fired.trigger, event, "trigger_failed", "error",
      { message = err.message })
    log.write("error", "a trigger cannot do what it says", {
      trigger = fired.trigger.id, error = err.message, trace_id = event.trace_id,
    })
  end
  return core.db:commit(statements)
end

local function handle(core, lease, event, memory)
  event.details = event.details and json.decode(event.details) or {}
  local list = core.manager.current.triggers:match(event, memory)
  local statements, after = { lease:guard(), handled(event) }, {}
  for _, fired in ipairs(list) do add(core, fired, event, statements, after) end
  local ok, err = core.db:commit(statements)
  if not ok and err.code ~= "conflict" and not err.retryable then
    return give_up(core, lease, event, list, err)
  end
  if not ok then return nil, err end
  for _, fn in ipairs(after) do fn() end
  return true
end

---Handles what is marked now.
---@param core table parley.core
---@param lease parley.Lease
---@param memory table of parley.triggers.match
---@return integer|nil events
---@return table|nil err "conflict": something has changed meanwhile, the events are still marked
function M.once(core, lease, memory)
  local rows, err = core.db:query(FIND, AT_ONCE)
  if not rows then return nil, err end
  for _, event in ipairs(rows) do
    local ok
    ok, err = handle(core, lease, event, memory)
    if not ok then return nil, err end
  end
  return #rows
end

---Handles events while the lease is held. What is counted within a window is remembered by the
---worker that leads: a new one begins to count anew.
---@param core table parley.core
---@param lease parley.Lease
function M.run(core, lease)
  local memory = {}
  while lease:held() do
    local n, err = M.once(core, lease, memory)
    if err and err.code ~= "conflict" then
      log.write("error", "the triggers cannot be served",
        { code = err.code, error = err.message })
    end
    if not n or n < AT_ONCE then lease:sleep(err and AGAIN_S or LOOK_S) end
  end
end

return M
