-- The options of handlers: data that say who a handler is for and how often, checked when the
-- plugin is loaded and carried out before the handler runs.

local host, check = host, parley.check
local misuse = check.misuse

local M = {}

local OPTIONS = {
  role = "any", typing = "boolean", limit = "string", by = "string", limited = "function",
}
local ROLES = { user = true, operator = true, admin = true }
local SECONDS = { s = 1, m = 60, h = 3600, d = 86400 }
local REQUESTS_MAX, SECONDS_MAX = 100000, 366 * 86400

local TEXTS = {
  en = { "Not so fast, please: try again in %s.", "%d s", "%d min", "%d h" },
  ru = { "Пожалуйста, не так часто: попробуйте через %s.", "%d с", "%d мин", "%d ч" },
  uk = { "Будь ласка, не так часто: спробуйте за %s.", "%d с", "%d хв", "%d год" },
}

local function roles_of(what, role)
  local list, out = type(role) == "table" and role or { role }, {}
  for _, one in ipairs(list) do
    if not ROLES[one] then
      misuse("%s: role: user, operator or admin expected, or a list of them, got '%s'%s", what,
        check.show(one), check.hint(one, ROLES))
    end
    out[one] = true
  end
  return out
end

-- "2/s", "10/m", "3/20s": how often, in which time.
local function limit_of(what, limit)
  local n, count, unit = limit:match "^(%d+)/(%d*)([smhd])$"
  local requests = tonumber(n)
  local seconds = n and (count == "" and 1 or tonumber(count)) * SECONDS[unit]
  local good = n and requests >= 1 and requests <= REQUESTS_MAX
    and seconds >= 1 and seconds <= SECONDS_MAX
  if good then return { requests = requests, seconds = seconds } end
  misuse("%s: limit: a text like \"2/s\", \"10/m\", \"100/h\" or \"3/20s\" expected, got '%s'",
    what, limit)
end

---What the host goes by; raises at the author's line.
---@param what string the handler, like "on.command 'order'"
---@param given table
---@param by_person boolean false: of jobs and events, which nobody could be told to wait with
---@return table options
function M.of(what, given, by_person)
  if next(given) == nil then return given end
  check.fields(what, given, OPTIONS)
  local out = { typing = given.typing, limited = given.limited, by = given.by or "user" }
  if given.role ~= nil then out.roles = roles_of(what, given.role) end
  if given.limit then
    if not by_person then misuse("%s: limit: there is nobody who could come too often", what) end
    out.limit = limit_of(what, given.limit)
  elseif given.by or given.limited then
    misuse("%s: by and limited say more of a limit, and there is none: limit = \"2/s\"", what)
  end
  if out.by ~= "user" and out.by ~= "dialog" then
    misuse("%s: by: user or dialog expected, got '%s'", what, out.by)
  end
  return out
end

local function tell(c, h, seconds)
  if h.options.limited then return h.options.limited(c, seconds) end
  local texts = TEXTS[(c.locale or "en"):match "^%a+"] or TEXTS.en
  local unit, size = 2, 1
  if seconds > 7200 then unit, size = 4, 3600 elseif seconds > 120 then unit, size = 3, 60 end
  local text = texts[1]:format(texts[unit]:format(math.ceil(seconds / size)))
  if c.event.type == "callback" then c:answer(text) else c:reply(text) end
end

---Whether the handler is for this event at all.
---@return boolean
function M.admit(c, h)
  local roles = h.options.roles
  return not roles or roles[c.user.role] == true
end

---Whether it may run now; whoever comes too often is told.
---@return boolean
function M.within_limit(c, h)
  local limit = h.options.limit
  if not limit then return true end
  local verdict = host("limit", h.what, limit.requests, limit.seconds, h.options.by)
  -- Without an answer nobody is kept waiting.
  if not verdict or verdict.allowed then return true end
  tell(c, h, verdict.seconds)
  return false
end

parley.options = M
