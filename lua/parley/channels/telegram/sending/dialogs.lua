-- Of which dialogs this worker has all that is to be sent. Another one may have had the last turn
-- of a dialog, and what that has to say is in the database: it goes before what is said here. A
-- dialog whose version is still the one that this worker has left has had no turn elsewhere.

local M = {}
M.__index = M

local KEPT = 10000 -- dialogs, twice

---@param shared boolean whether there are other workers
function M.new(shared)
  return setmetatable({ shared = shared, young = {}, old = {}, n = 0 }, M)
end

local function put(self, id, version)
  if self.young[id] == nil then self.n = self.n + 1 end
  self.young[id] = version
  if self.n < KEPT then return end
  self.young, self.old, self.n = {}, self.young, 0
end

-- A turn that was made durable before has counted the version up once.
local function begun_at(turn)
  return turn.leased and turn.dialog.version - 1 or turn.dialog.version
end

---Whether all that earlier turns have to say is known here, or was sent.
---@param turn table that is about to be stored
---@return boolean
function M:has_all(turn)
  local dialog = turn.dialog
  local version = begun_at(turn)
  if dialog.is_new or version == 0 then return true end
  local left = self.young[dialog.id]
  if left == nil then left = self.old[dialog.id] end
  if left == nil then return not self.shared end
  return left == version
end

---All that the dialog has to say at this version is known here.
---@param dialog {id: string, version: integer}
function M:note(dialog) put(self, dialog.id, dialog.version) end

---Something that the dialog has to say is in the database only.
---@param dialog {id: string}
function M:miss(dialog) put(self, dialog.id, false) end

return M
