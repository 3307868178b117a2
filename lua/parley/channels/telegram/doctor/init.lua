-- What is wrong with a bot, and what to do: asked of the database, of Telegram, and of whoever is
-- to work for the bot. It changes nothing, and takes no updates.

local api_of = require "parley.channels.telegram.api"
local explain = require "parley.channels.telegram.explain"
local fleet = require "parley.channels.telegram.fleet"
local hook = require "parley.channels.telegram.doctor.hook"
local reach = require "parley.channels.telegram.doctor.reach"
local shared = require "parley.blobs.shared"
local shards = require "parley.channels.telegram.shards"
local task = require "host.task"

local M = {}

local TIMEOUT_S = 10
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

-- What is known without asking anybody. False: there is no token to go on with.
local function examine_record(self, add)
  local bot = self.bot
  if not bot.token then
    add("record", "problem", bot.problem.message, explain[bot.problem.code])
    return false
  end
  if bot.state == "paused" then
    add("record", "hint", "the bot is paused: it neither gets nor sends anything",
      "parley bot resume " .. bot.name)
  else
    add("record", "good", ("active, by %s"):format(bot.transport))
  end
  return true
end

-- How a bot is given another token.
local function giving(bot)
  if bot.name == fleet.MAIN then return "TELEGRAM_BOT_TOKEN, and a restart" end
  return "parley bot token " .. bot.name
end

local function examine_token(self, client, add)
  local me, err = client:call("getMe", {}, TIMEOUT_S)
  if not me then
    add("token", "problem", err.message, explain[err.code] or "try again in a while")
    return nil
  end
  add("token", "good", ("it is that of @%s (%.0f)"):format(me.username, me.id))
  if self.bot.username and self.bot.username ~= me.username then
    add("token", "hint", ("the bot is stored as @%s: commands of groups are not recognised")
      :format(self.bot.username), "give it its token again: " .. giving(self.bot))
  end
  return me
end

local function examine_groups(me, add)
  if me.can_join_groups == false then
    add("groups", "hint", "it may not be added to groups",
      "/setjoingroups at @BotFather, if it is to")
  elseif me.can_read_all_group_messages == false then
    add("groups", "hint", "privacy mode: in groups it gets commands, and replies to it, only",
      "/setprivacy at @BotFather, then add it to the group again, if it is to hear everything")
  end
end

local function examine_problem(self, add)
  local problem = self.bot.problem
  if problem and problem.code == "conflict" then
    add("updates", "problem", problem.message, "stop the other program, or give the bot another "
      .. "token (/revoke at @BotFather), which only this host then knows: "
      .. giving(self.bot))
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
    return add("worker", "problem", err.message, "see to the database")
  end
  if self.running == false then
    return add("worker", "problem", "no host runs on this home", "start it: parley serve")
  end
  if not before or before.owner == "" then
    return add("worker", "problem", "no worker has taken the lease " .. shards.lease(self.bot.name),
      "start a host (parley serve), or wait a few seconds for one that has just started")
  end
  if self.db:dialect() ~= "sqlite" then
    task.sleep(WATCH_S)
    local after = lease_of(self)
    if after and after.owner == before.owner and after.renewals == before.renewals then
      return add("worker", "problem", ("the lease of worker %s is not renewed: it hangs, or is cut "
        .. "off from the database"):format(before.owner), "another worker takes it over within "
        .. "some seconds; when none does, no host runs: parley serve")
    end
  end
  add("worker", "good", before.owner .. " works for it")
end

-- What one instance has kept, another one may have to send.
local function examine_files(self, add)
  if self.db:dialect() == "sqlite" then return end
  local machines = shared.apart(self.db)
  if not machines or #machines == 0 then return end
  add("files", "problem", "instances keep the files of plugins in folders of their own: "
    .. table.concat(machines, ", "), shared.ADVICE)
end

---Examines a bot. It waits for Telegram, half a minute at most.
---@param self parley.Examination
---@return parley.Finding[] findings in the order in which to read them
---@return boolean well no finding is a problem
function M.examine(self)
  local findings, well = {}, true
  local function add(check, kind, message, advice)
    findings[#findings + 1] = { check = check, kind = kind, message = message, advice = advice }
    well = well and kind ~= "problem"
  end
  if examine_record(self, add) and reach.examine(self.url, add) then
    local client = api_of.new { token = self.bot.token, url = self.url }
    local me = examine_token(self, client, add)
    if me then
      hook.examine(self.bot, client, add)
      examine_problem(self, add)
      examine_groups(me, add)
    end
  end
  if self.bot.state == "active" then examine_worker(self, add) end
  examine_files(self, add)
  return findings, well
end

return M
