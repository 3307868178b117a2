-- What is wrong with a bot, and what to do: asked of the database, of Telegram, and of whoever is
-- to work for the bot. It changes nothing, and takes no updates.

local adopt = require "parley.channels.telegram.adopt"
local api_of = require "parley.channels.telegram.api"
local fs = require "host.fs"
local hook = require "parley.channels.telegram.doctor.hook"
local reach = require "parley.channels.telegram.doctor.reach"
local shared = require "parley.blobs.shared"
local shards = require "parley.channels.telegram.shards"
local task = require "host.task"
local words = require "parley.channels.telegram.doctor.words"

local M = {}

local TIMEOUT_S = 10
local CERTIFICATE_MAX = 256 * 1024
local WATCH_S = 2.5 -- a lease is renewed once a second

---@class parley.Finding
---@field check "record"|"api"|"token"|"webhook"|"updates"|"worker"|"groups"|"files"
---@field kind "good"|"hint"|"problem"
---@field message string
---@field advice string|nil what to do

---@class parley.Examination
---@field bot parley.Bot
---@field url string of the Bot API
---@field db table
---@field running boolean|nil whether a host runs that shares the database; nil: nobody knows
---@field certificate string|nil the file that this host serves TLS with
---@field language string|nil "en" (default), "ru", "uk"

-- What is known without asking anybody. False: there is no token to go on with.
local function examine_record(self, add)
  local bot = self.bot
  if not bot.token then
    add("record", "problem", bot.problem.code)
    return false
  end
  if bot.state == "paused" then
    add("record", "hint", "record_paused", { advice = "resume_do" })
  else
    add("record", "good", "record_active", { transport = bot.transport })
  end
  return true
end

local function examine_token(self, client, add)
  local me, err = client:call("getMe", {}, TIMEOUT_S)
  if not me then
    add("token", "problem", "said", {
      said = err.message, advice = err.code == "unauthorized" and "unauthorized_do" or "again_do",
    })
    return nil
  end
  add("token", "good", "token_good", { username = me.username, id = ("%.0f"):format(me.id) })
  if self.bot.username and self.bot.username ~= me.username then
    add("token", "hint", "token_renamed", { stored = self.bot.username })
  end
  return me
end

local function examine_groups(me, add)
  if me.can_join_groups == false then
    add("groups", "hint", "groups_none")
  elseif me.can_read_all_group_messages == false then
    add("groups", "hint", "groups_privacy")
  end
end

local function examine_problem(self, add)
  local problem = self.bot.problem
  if problem and problem.code == "conflict" then
    add("updates", "problem", "conflict", { said = problem.message })
  end
end

local function lease_of(self)
  return self.db:first("SELECT owner, fence, renewals FROM leases WHERE name = $1",
    shards.lease(self.bot.name))
end

-- Whether somebody works for it. A database in a file has one host, which knows itself.
local function examine_worker(self, add)
  local before, err = lease_of(self)
  if err then
    return add("worker", "problem", "said", { said = err.message, advice = "database_do" })
  end
  if self.running == false then
    return add("worker", "problem", "worker_none")
  end
  if not before or before.owner == "" then
    return add("worker", "problem", "worker_lease", { lease = shards.lease(self.bot.name) })
  end
  if self.db:dialect() ~= "sqlite" then
    task.sleep(WATCH_S)
    local after = lease_of(self)
    if after and after.owner == before.owner and after.renewals == before.renewals then
      return add("worker", "problem", "worker_hangs", { owner = before.owner })
    end
  end
  add("worker", "good", "worker_good", { owner = before.owner })
end

-- What one instance has kept, another one may have to send.
local function examine_files(self, add)
  if self.db:dialect() == "sqlite" then return end
  local machines = shared.apart(self.db)
  if not machines or #machines == 0 then return end
  add("files", "problem", "files_apart", { machines = table.concat(machines, ", ") })
end

-- Puts findings into words: `key` says what is the matter; what to do is `args.advice`, or `key`
-- with _do behind it.
local function writer(self, findings)
  local say, name = words.of(self.language), self.bot.name
  local giving = say(name == adopt.NAME and "giving_main" or "giving", { name = name })
  return function(check, kind, key, args)
    args = setmetatable(args or {}, { __index = { name = name, giving = giving } })
    findings[#findings + 1] = {
      check = check, kind = kind, message = say(key, args),
      advice = kind ~= "good" and say(args.advice or key .. "_do", args) or nil,
    }
  end
end

local function is_well(findings)
  for _, finding in ipairs(findings) do
    if finding.kind == "problem" then return false end
  end
  return true
end

---Examines a bot. It waits for Telegram, and for the address of the webhook, half a minute at most
---for each.
---@param self parley.Examination
---@return parley.Finding[] findings in the order in which to read them
---@return boolean well no finding is a problem
function M.examine(self)
  local findings = {}
  local add = writer(self, findings)
  if examine_record(self, add) and reach.examine(self.url, add) then
    local client = api_of.new { token = self.bot.token, url = self.url }
    local me = examine_token(self, client, add)
    if me then
      local pem = self.certificate and fs.read(self.certificate, CERTIFICATE_MAX)
      -- A webhook that is set is a conflict, too: it is said once, with what to do about it.
      if not hook.examine(self.bot, client, pem, add) then examine_problem(self, add) end
      examine_groups(me, add)
    end
  end
  if self.bot.state == "active" then examine_worker(self, add) end
  examine_files(self, add)
  return findings, is_well(findings)
end

return M
