-- Messages that are durable and wait for their turns: those of a dialog one after the other, in the
-- order they came; those of different sources, such as bots, by turns, so that a source with very
-- many of them delays the others by a turn and not by all of its own.
--
-- Whoever brings messages reserves a place for them first, and leaves outside what there is none
-- for: what is in memory is bounded, for each source and for the worker. A message whose turn fails
-- keeps its place: a later one of its dialog must not be answered before it.

local fifo = require "parley.util.fifo"
local task = require "host.task"
local time = require "host.time"

local M = {}
M.__index = M

-- Turns under way: of all sources, and of one that is alone, which fill a group of commits. A turn
-- computes for about a tenth of a millisecond, and a source with very many has all of its slots
-- ready at the same moment: while others write, too, it has few, or they would wait behind those.
local SLOTS, SLOTS_OF_ONE, SLOTS_AMONG_OTHERS = 128, 32, 4
-- A crowd beside calm sources, where turns and commits have one thread each: with more slots it
-- always has something to compute, and the others wait for that at each of their steps.
local SLOTS_OF_CROWD = 1
-- That a crowd lets others go first before it brings more: it has enough at hand for as long.
local PATIENCE_S = 0.01
-- Crowds have a turn begun so often whatever the others have; those that they had before count, of
-- a tenth of a second.
local EVERY_S, AHEAD_S = 0.002, 0.1
local AMONG_OTHERS_S = 1 -- since another source than the one before has brought something
-- A turn that is not done by then waits for somebody else: its slot serves another one.
local QUICK_S = 0.05
local ALWAYS = 10 -- places that a source has however full the worker is
local CROWD = 50  -- more places than that are a crowd: what others have goes before it
local PAUSE_S, PAUSE_MAX_S = 0.1, 5
local REFUSALS = 3 -- of a turn that would fail for ever; parley.turn.recover looks at it later

-- Errors after which nothing is left to be done.
local SETTLED = { message_failed = true, idempotency_mismatch = true }

---@param deps {run: (fun(row: table): table|nil, table|nil), log: function, of_one: integer,
---  of_all: integer, yields: boolean|nil} run: the turn of a row of inbox; of_one, of_all: places
---  of a source, of all; yields: whether a crowd has one turn at a time beside others
function M.new(deps)
  return setmetatable({
    run = deps.run, log = deps.log, of_one = deps.of_one, of_all = deps.of_all,
    sources = {}, dialogs = {}, slots = fifo.new(),
    ring = fifo.new(), back = fifo.new(), -- sources that have something to start; back: crowds
    calm = task.cond(), patient = 0, -- calm: nothing of a calm source is to be served; who waits
    crowd_due = 0, -- when the next turn of a crowd is begun, whatever there is
    coming = {}, -- by dialog, how many messages are about to be added
    places = 0,  -- that are taken
    coming_in = 0, -- of them, those of messages that are not added yet
    crowds = 0, crowd_set = {}, -- sources that have many of them
    ready = 0,   -- dialogs that could be served
    busy = 0,    -- slots that are taken
    mixed_until = 0,
    calm_until = 0, others_calm_until = 0, -- others: than the one that was calm last
    yields = deps.yields,
  }, M)
end

local function source_of(self, name)
  local s = self.sources[name]
  if not s then
    s = {
      name = name, places = 0, coming_in = 0, is_crowd = false, busy = 0, ready = fifo.new(),
    }
    self.sources[name] = s
  end
  return s
end

-- Until when another source counts as one that writes, and is calm. A crowd was none itself before.
local function calm_beside(self, s)
  return self.calm_source == s.name and self.others_calm_until or self.calm_until
end

local function note_calm(self, s)
  if s.name ~= self.calm_source then
    self.calm_source, self.others_calm_until = s.name, self.calm_until
  end
  self.calm_until = time.mono() + AMONG_OTHERS_S
end

local function slots_of(self, s)
  local now = time.mono()
  if self.yields and s.is_crowd and now < calm_beside(self, s) then return SLOTS_OF_CROWD end
  return now < self.mixed_until and SLOTS_AMONG_OTHERS or SLOTS_OF_ONE
end

-- Whether a calm source has something that is being stored, waits for a slot, or has one. What
-- waits for somebody else has none.
local function is_pressed(self)
  local n = self.coming_in + self.ready + self.busy
  for s in pairs(self.crowd_set) do n = n - s.coming_in - s.ready:size() - s.busy end
  return n > 0
end

local function tell_calm(self)
  if self.patient > 0 and not is_pressed(self) then self.calm:broadcast() end
end

local function await_calm(self, seconds)
  self.patient = self.patient + 1
  self.calm:wait(seconds)
  self.patient = self.patient - 1
end

-- Whether what a source has goes behind all that others have.
local function goes_last(self, s)
  return s.is_crowd and (time.mono() < calm_beside(self, s) or is_pressed(self))
end

-- A source stands in the ring while it has something to start, and a slot for it.
local function enlist(self, s)
  if s.listed or s.busy >= slots_of(self, s) or s.ready:size() == 0 then return end
  s.listed = true
  self.ring:push(s)
end

local function make_ready(self, d)
  self.ready = self.ready + 1
  d.source.ready:push(d)
  enlist(self, d.source)
end

local function free_slot(self, slot)
  if not slot.taken then return end
  slot.taken = false
  self.busy, slot.source.busy = self.busy - 1, slot.source.busy - 1
  enlist(self, slot.source)
end

-- Frees the slots of turns that are not quick. Returns the seconds until the next one is due.
local function free_slow(self)
  while true do
    local slot = self.slots:peek()
    local left = slot and slot.since + QUICK_S - time.mono()
    if not slot or slot.taken and left > 0 then return left end
    free_slot(self, self.slots:shift())
  end
end

local function take_slot(self, s)
  free_slow(self)
  local slot = { source = s, since = time.mono(), taken = true }
  self.busy, s.busy = self.busy + 1, s.busy + 1
  self.slots:push(slot)
  return slot
end

-- More places are taken for a source, or, with a negative number, given back.
local function take_places(self, s, n)
  self.places, s.places = self.places + n, s.places + n
  local is_crowd = s.places > CROWD
  if is_crowd ~= s.is_crowd then
    s.is_crowd, self.crowds = is_crowd, self.crowds + (is_crowd and 1 or -1)
    self.crowd_set[s] = is_crowd or nil
  end
end

local function leave(self, s, n)
  take_places(self, s, -n)
  for _ = 1, s.left and n or 0 do s.left:signal() end -- many may wait for one place each
  if s.places == 0 then self.sources[s.name] = nil end
end

local function come_in(self, s, n)
  self.coming_in, s.coming_in = self.coming_in + n, s.coming_in + n
end

local pump

-- Until the turn of a row has gone through. Where it cannot, its slot serves others meanwhile.
local function settle(self, row, slot)
  local pause, refused = PAUSE_S, 0
  while not self.closed do
    local good, result, err = pcall(self.run, row)
    if good and (result or SETTLED[err.code]) then return end
    if not good then err = { code = "internal", message = tostring(result) } end
    if not err.retryable and not err.retry_after then refused = refused + 1 end
    if refused == REFUSALS or pause == PAUSE_S then
      self.log(refused == REFUSALS and "error" or "warn", "a message waits: its turn has failed", {
        dialog_id = row.dialog_id, trace_id = row.trace_id, code = err.code, error = err.message,
      })
    end
    if refused == REFUSALS then return end
    free_slot(self, slot)
    pump(self)
    task.sleep(pause)
    pause = math.min(2 * pause, PAUSE_MAX_S)
  end
end

local function serve(self, d, slot)
  settle(self, d.rows:peek(), slot)
  d.rows:shift()
  if d.rows:peek() then make_ready(self, d) else self.dialogs[d.id] = nil end
  leave(self, d.source, 1)
  free_slot(self, slot)
  pump(self)
end

-- While a dialog waits for a slot, somebody looks when the next one is due.
local function watch(self)
  while not self.closed do
    free_slow(self)
    pump(self)
    local left = self.ready > 0 and free_slow(self)
    if not left then break end
    task.sleep(left)
  end
  self.watching = false
end

local function begin_watch(self)
  if self.ready == 0 or self.busy == 0 or self.watching or self.closed then return end
  self.watching = true
  task.start(watch, self)
end

local function start(self, s)
  s.listed = false
  if s.busy >= slots_of(self, s) then return end
  self.ready = self.ready - 1
  task.start(serve, self, s.ready:shift(), take_slot(self, s))
  enlist(self, s)
end

-- Waits until the calm sources have what they wait for, at most until crowds have their turn again.
local function let_calm(self)
  task.give_way(EVERY_S)
  local left = self.crowd_due - time.mono()
  if left > 0 and is_pressed(self) then
    await_calm(self, math.min(left, AHEAD_S))
    return false
  end
  return true
end

-- Turns of crowds, one after the other, whenever nobody else has anything to do: the thread that
-- computes them is the others', too, and each of their steps would wait for one.
local function serve_crowds(self)
  while self.back:size() > 0 and self.busy < SLOTS and not self.closed do
    if let_calm(self) and self.busy < SLOTS and not self.closed then
      local now = time.mono()
      self.crowd_due = math.min(math.max(self.crowd_due, now) + EVERY_S, now + AHEAD_S)
      start(self, self.back:shift())
      begin_watch(self)
    end
  end
  self.serving_crowds = false
end

-- Gives the free slots out, one to each source in turn.
function pump(self)
  while self.busy < SLOTS and not self.closed do
    local s = self.ring:shift()
    if not s then break end
    if goes_last(self, s) then self.back:push(s) else start(self, s) end
  end
  if self.back:size() > 0 and not self.serving_crowds and self.busy < SLOTS
    and not self.closed then
    self.serving_crowds = true
    task.start(serve_crowds, self)
  end
  tell_calm(self)
  begin_watch(self)
end

---How many places there are for a source.
---@param source string
---@return integer
function M:room(source)
  local s = self.sources[source]
  local taken = s and s.places or 0
  return math.max(0, ALWAYS - taken, math.min(self.of_one - taken, self.of_all - self.places))
end

---Whether what comes from a source should not wait for what others have: one of those has very
---much of it, and this one has not.
---@param source string
---@return boolean
function M:goes_first(source)
  if self.crowds == 0 then return false end
  local s = self.sources[source]
  return not (s and s.is_crowd)
end

---Whether several sources have brought something lately.
---@return boolean
function M:is_mixed() return time.mono() < self.mixed_until end

---Lets the others go first, if a source has very much: before it brings more. It waits for as long
---as they have something to be served, within reason.
---@param source string
---@return boolean gave
function M:give_way(source)
  local s = self.sources[source]
  if not s or not goes_last(self, s) then return false end
  local deadline = time.mono() + PATIENCE_S
  task.give_way(PATIENCE_S)
  while is_pressed(self) and time.mono() < deadline do await_calm(self, deadline - time.mono()) end
  return true
end

---Takes places, for what is about to become durable. More than all of a source come in alone.
---@param source string
---@param n integer
---@return boolean taken false: there are not so many now
function M:reserve(source, n)
  if n > self:room(source) and self.sources[source] then return false end
  local s = source_of(self, source)
  take_places(self, s, n)
  come_in(self, s, n)
  return true
end

---Gives back places that were not needed.
---@param source string
---@param n integer
function M:release(source, n)
  if n <= 0 then return end
  local s = self.sources[source]
  come_in(self, s, -n)
  leave(self, s, n)
  tell_calm(self)
end

---Waits until there are places for a source.
---@param source string
---@param n integer
---@param seconds number
---@return boolean there
function M:wait(source, n, seconds)
  local deadline = time.mono() + seconds
  while self:room(source) < n do
    local s, left = self.sources[source], deadline - time.mono()
    if not s then break end
    if left <= 0 then return false end
    s.left = s.left or task.cond()
    s.left:wait(left)
  end
  return true
end

---Has the turns of rows run, each in its place, which was reserved.
---@param rows table[] of inbox, open; `source` says whose they are
function M:add(rows)
  for _, row in ipairs(rows) do
    if row.source ~= self.last_source then
      self.mixed_until = self.last_source and time.mono() + AMONG_OTHERS_S or 0
      self.last_source = row.source
    end
    local s = self.sources[row.source]
    come_in(self, s, -1)
    if not s.is_crowd then note_calm(self, s) end
    local d = self.dialogs[row.dialog_id]
    if not d then
      d = { id = row.dialog_id, source = s, rows = fifo.new() }
      self.dialogs[d.id] = d
      make_ready(self, d)
    end
    d.rows:push(row)
  end
  pump(self)
end

---Rows are about to become durable, and to be added: whoever finds them in the inbox meanwhile need
---not care for them.
---@param rows table[]
function M:expect(rows)
  for _, row in ipairs(rows) do
    self.coming[row.dialog_id] = (self.coming[row.dialog_id] or 0) + 1
  end
end

---They were added, or will not be.
---@param rows table[] of M:expect
function M:came(rows)
  for _, row in ipairs(rows) do
    local n = self.coming[row.dialog_id] - 1
    self.coming[row.dialog_id] = n > 0 and n or nil
  end
end

---Whether messages of a dialog wait here, are under way, or come in a moment.
---@param dialog_id string
function M:holds(dialog_id)
  return self.dialogs[dialog_id] ~= nil or self.coming[dialog_id] ~= nil
end

---How many messages wait or are under way.
function M:size() return self.places end

---Starts nothing more. What is in the inbox is taken up by whoever comes after.
function M:close() self.closed = true end

return M
