-- Which audit rows are marked for the triggers, in the transaction of their fact: those that a
-- trigger of this process listens to. Nothing else is ever looked at again.

local M = {}

local followed = setmetatable({}, { __mode = "k" })

---@param owner table whose triggers they are; those it had before are forgotten
---@param triggers table|nil parley.triggers
function M.follow(owner, triggers) followed[owner] = triggers end

-- Before the triggers are read, what may matter is kept for them.
local GRAVE = { warning = true, error = true, critical = true }

---The value of audit_logs.signal.
---@param action string
---@param severity string
---@return integer|nil 1 when a trigger wants to see it
function M.mark(action, severity)
  if next(followed) == nil then return GRAVE[severity] and 1 or nil end
  for _, triggers in pairs(followed) do
    if triggers:wants(action, severity) then return 1 end
  end
end

return M
