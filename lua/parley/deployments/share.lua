-- Which dialogs get the new version: a share that needs no memory. A dialog has a place from 0 to
-- 9999 in each deployment; those below the share are in. So a dialog stays where it is, a larger
-- share keeps those that were in, and another deployment draws others.

local crypto = require "host.crypto"

local M = {}

---@type integer basis points, all dialogs
M.ALL = 10000

---@param deployment string id
---@param dialog string id
---@return integer place 0 to 9999
function M.place(deployment, dialog)
  local a, b, c, d = crypto.sha256(deployment .. "\0" .. dialog):byte(1, 4)
  return (((a * 256 + b) * 256 + c) * 256 + d) % M.ALL
end

---@param deployment string id
---@param dialog string id
---@param share integer basis points
---@return boolean
function M.has(deployment, dialog, share) return M.place(deployment, dialog) < share end

return M
