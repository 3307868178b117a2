-- What happens later, and again and again: c:schedule, c:every and what takes them back.

local host, check, messages, C = host, parley.check, parley.messages, parley.methods
local add, misuse, mine = parley.add, check.misuse, check.context

-- As parley.turn.recurring has them.
local EVERY_MIN, EVERY_MAX, EVERY_COUNT = 60, 366 * 86400, 20

local FIELDS = {
  ["in"] = "number", in_ = "number", at = "number", job = "string", data = "table", id = "string",
}
local EVERY = { seconds = "number" }
for name, kind in pairs(FIELDS) do EVERY[name] = kind end

local function check_id(what, id)
  if type(id) == "string" and #id <= 64 and id:find "^[%w_.:%-]+$" then return id end
  misuse("%s: an id of letters, digits and _ . : - expected, at most 64, got '%s'", what,
    check.show(id))
end

local function action_of(name, what, known)
  if type(what) ~= "table" then
    misuse("%s: a table like { %s, job = ... } expected, got %s", name,
      name == "every" and "seconds = 3600" or "in_ = 3600", what == nil and "nothing" or type(what))
  end
  check.fields(name, what, known)
  if what.id ~= nil then check_id(name .. ": id", what.id) end
  local job, jobs = messages.text(name .. ": job", what.job), check.registered.job
  if not jobs[job] then
    misuse("%s: there is no p.on.job(\"%s\", ...)%s", name, job, check.hint(job, jobs))
  end
  return {
    type = "schedule", job = job, data = what.data, ["in"] = what["in"] or what.in_, at = what.at,
    id = what.id,
  }
end

---c:schedule { in_ = seconds | at = unix seconds, job = name, data = table, id = text }
function C:schedule(what)
  mine(self, "schedule")
  local action = action_of("schedule", what, FIELDS)
  if not action["in"] and not action.at then
    misuse "schedule: in_ (seconds) or at (unix seconds) expected"
  end
  add(self, action)
end

-- Whether one more may come again; what this answer schedules itself counts, too.
local function room_for(self, id)
  local listed, err = host "jobs.list"
  if not listed then return nil, err end
  local again, n = {}, 0
  for _, one in ipairs(listed) do again[one.id] = one.every end
  for _, action in ipairs(self._actions) do
    if action.type == "schedule" and action.id then again[action.id] = action.every end
    if action.type == "unschedule" then again[action.id] = nil end
  end
  again[id] = nil
  for _ in pairs(again) do n = n + 1 end
  if n < EVERY_COUNT then return true end
  return nil, {
    code = "quota", retryable = false, op = "every",
    message = ("at most %d jobs of a plugin come again in a dialog: c:unschedule one"):format(
      EVERY_COUNT),
  }
end

---c:every { seconds = 86400, job = name, ... as for schedule }: again and again; in_ or at say when
---first. Its id is the name of the job when it has no other; another one of the id goes.
---@return boolean|nil ok
---@return table|nil err "quota": too many of them in this dialog
function C:every(what)
  mine(self, "every")
  local action, seconds = action_of("every", what, EVERY), what.seconds
  if not seconds or not (seconds >= EVERY_MIN and seconds <= EVERY_MAX) then
    misuse("every: seconds from %d (a minute) to %d (a year) expected, got %s", EVERY_MIN,
      EVERY_MAX, tostring(seconds))
  end
  action.every, action.id = seconds, action.id or action.job
  local ok, err = room_for(self, action.id)
  if not ok then return nil, err end
  add(self, action)
  return true
end

---What was scheduled under an id, once or again and again, does not come any more.
function C:unschedule(id)
  mine(self, "unschedule")
  add(self, { type = "unschedule", id = check_id("unschedule", id) })
end

---What is scheduled in this dialog under an id, the next one first.
---@return {id: string, job: string, data: table|nil, at: number, every: number|nil}[]|nil list
---@return table|nil err
function C:scheduled()
  mine(self, "scheduled")
  return host "jobs.list"
end
