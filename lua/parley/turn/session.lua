-- The session: what a plugin keeps for a dialog between events.

local json = require "host.json"

local M = {}

---@type integer bytes as JSON: it is read and written with every message of the dialog
M.MAX = 65536

---What a session will be after an answer.
---@param before table|nil
---@param response table `state`: a patch in which null deletes; `end`: nothing is kept
---@return table|nil after nil: there is none
function M.after(before, response)
  if response["end"] then return nil end
  if not response.state then return before end
  local after = {}
  for key, value in pairs(before or {}) do after[key] = value end
  for key, value in pairs(response.state) do
    if value == json.null then value = nil end
    after[key] = value
  end
  return next(after) ~= nil and after or nil
end

---Puts what a plugin has answered into the state of the dialog.
---@param dialog {state: table}
---@param name string of the plugin
---@param response table
function M.keep(dialog, name, response)
  if not response.state and not response["end"] then return end
  local after = M.after(dialog.state[name], response)
  dialog.state[name] = after
  -- Whoever waits for the next message in a state of its own gets it first.
  if after and after.__state then
    dialog.state.__owner = name
  elseif dialog.state.__owner == name then
    dialog.state.__owner = nil
  end
end

return M
