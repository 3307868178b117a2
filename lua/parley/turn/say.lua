-- What is said in a dialog although nobody has written there: by an operator, or by a plugin from
-- another dialog. It is a turn like others - in the lane of its dialog, stored in its history by
-- the transaction that hands it to the channel - but no plugin is asked.

local actions = require "parley.schema.actions"
local json = require "host.json"
local record = require "parley.turn.record"

local M = {}

---The job that brings what a plugin says in another dialog. A plugin's own jobs have no such name.
M.JOB = "@notify"

local ACTIONS_MAX = 5

---@class parley.Said
---@field actions table[]
---@field lane "operator"|"p2p"
---@field as "operator"|"plugin" sender_type in the history
---@field plugin string|nil whose buttons these are
---@field source string|nil who says it, for the audit

---What stands against saying it.
---@param list any
---@return string|nil problem
function M.problem(list)
  if type(list) ~= "table" or #list == 0 then return "actions: a list was expected" end
  if #list > ACTIONS_MAX then
    return ("actions: %d of them, at most %d are allowed"):format(#list, ACTIONS_MAX)
  end
  for i, action in ipairs(list) do
    local problem = actions.problem(action)
    if not problem and action.type ~= "send" then problem = "only the type 'send' is allowed" end
    if not problem and action.keyboard then problem = "keyboard: belongs to an answer" end
    if problem then return ("actions[%d]: %s"):format(i - 1, problem) end
  end
end

---What a job of this kind says.
---@param job table of jobs
---@return parley.Said|nil
function M.of_job(job)
  if job.job ~= M.JOB then return nil end
  return { actions = job.data.actions, lane = "p2p", as = "plugin", plugin = job.plugin }
end

local function copy(action, lane)
  local out = {}
  for key, value in pairs(action) do out[key] = value end
  out.lane = lane
  return out
end

---The answer of such a turn.
---@param turn table `said`; gets `plugin` and `status`
---@param generation parley.Generation
---@return parley.Part[]
function M.parts(_, turn, generation)
  local said, list = turn.said, json.array()
  for i, action in ipairs(said.actions) do list[i] = copy(action, said.lane) end
  turn.status = "sent"
  turn.plugin = said.plugin and generation.chooser.by_name[said.plugin]
  if said.source then
    record.event(turn, said.source, "operator_message", "info", { dialog_id = turn.dialog.id })
  end
  return { { plugin = turn.plugin, actions = list } }
end

---@return table DialogSendResponseV1
function M.response(turn)
  return {
    dialog_id = turn.dialog.id, message_id = turn.reply_id, status = "sent",
    actions = turn.actions, reset_version = turn.dialog.reset_version, trace_id = turn.trace_id,
  }
end

return M
