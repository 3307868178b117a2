-- Every press of a button is answered while Telegram still waits for it, whatever its turn does: a
-- plugin that takes long, one that fails, a press that waits behind others, or is nobody's. What
-- the turn says later is told in another way (render.lua).

local fifo = require "parley.util.fifo"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

local TIMEOUT_S = 5
local CLAIMED_S = 5   -- more, for a turn that is being stored
local KEPT_S = 600    -- what was answered here is known for so long
local PARALLEL = 30   -- calls at a time, in one worker
local MAX = 20000     -- presses that are known, in one worker: the oldest are forgotten

---@param deps {after: number, api: (fun(bot: string): table|nil), log: function} after: seconds
---  that a turn has; api: the client of a bot
function M.new(deps)
  return setmetatable({
    after = deps.after, api = deps.api, log = deps.log, known = {}, open = fifo.new(),
    answered = fifo.new(), calls = 0,
  }, M)
end

---Updates have come: presses among them have to be answered from now on.
---@param bot string
---@param updates table[] of the Bot API
---@return boolean any whether there are presses
function M:note(bot, updates)
  local any = false
  for _, update in ipairs(updates) do
    local query = type(update) == "table" and update.callback_query
    if type(query) == "table" and type(query.id) == "string" and not self.known[query.id] then
      local press = { id = query.id, bot = bot, due = time.mono() + self.after }
      self.known[press.id] = press
      self.open:push(press)
      any = true
    end
  end
  while self.open:size() > MAX do self.known[self.open:shift().id] = nil end
  return any
end

---A turn is about to answer.
---@param id string callback_query_id
---@return boolean mine false: the press was answered before
function M:claim(id)
  local press = self.known[id]
  if not press then return true end
  if press.answered then return false end
  press.claimed = time.mono() + CLAIMED_S
  return true
end

---Its answer is stored, and goes out.
---@param id string
function M:done(id)
  local press = self.known[id]
  if press then press.answered = true end
end

local function answer(self, press)
  local api = self.api(press.bot)
  local _, err
  if api then
    _, err = api:call("answerCallbackQuery", { callback_query_id = press.id }, TIMEOUT_S)
  end
  -- That somebody else has answered it, or it is too old, is no failure.
  if err and err.code ~= "bad_request" then
    self.log("warn", "a press could not be answered in time", {
      bot = press.bot, code = err.code, error = err.message,
    })
  end
end

local function begin(self, press)
  press.answered = true
  self.calls = self.calls + 1
  meters.telegram_presses:with(press.bot):inc()
  task.spawn(function()
    local good, problem = pcall(answer, self, press)
    self.calls = self.calls - 1
    if not good then error(problem, 0) end
  end)
end

---@param now number
---@return boolean again
function M:tick(now)
  while self.open:size() > 0 and self.open:peek().due <= now and self.calls < PARALLEL do
    local press = self.open:shift()
    if not press.answered and (press.claimed or 0) > now then
      press.due = press.claimed
      self.open:push(press) -- a turn that is about to answer is rarely late, and others may wait
    else
      if not press.answered then begin(self, press) end
      press.forget = now + KEPT_S
      self.answered:push(press)
    end
  end
  while self.answered:size() > 0 and self.answered:peek().forget <= now do
    self.known[self.answered:shift().id] = nil
  end
  return self.open:size() > 0
end

return M
