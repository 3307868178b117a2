-- Keys that the host itself keeps in Redis for readers outside: written when they change, and now
-- and then, so that they live for as long as somebody is there to write them.

local task = require "host.task"

local M = {}
M.__index = M

M.TTL_S = 600
local EVERY_S = 60

---@param deps {redis: table, ready: (fun(): boolean), failed: fun(err: table), log: function}
function M.new(deps)
  local self = setmetatable(deps, M)
  self.texts, self.changed = {}, task.cond()
  return self
end

---@param key string
---@param text fun(): string|nil, table|nil what the key holds; it may wait, and fail
function M:add(key, text) self.texts[key] = text end

---What the keys hold may have changed.
function M:refresh()
  self.stale = true
  self.changed:broadcast()
end

local function write(self)
  for key, text in pairs(self.texts) do
    local value, err = text()
    if value then
      local ok
      ok, err = self.redis:set(key, value, M.TTL_S)
      if not ok then return self.failed(err) end
    else
      self.log("warn", "a key of Redis is not up to date", { key = key, error = err.message })
    end
  end
end

---Writes until the task is cancelled.
function M:run()
  while true do
    self.stale = false
    if self.ready() then write(self) end
    if not self.stale then self.changed:wait(EVERY_S) end
  end
end

return M
