-- How specs, loads and the page steer the simulator: /sim/... in JSON.

local json = require "host.json"
local load = require "parley.sim.telegram.load"
local pace = require "parley.sim.telegram.pace"
local people = require "parley.sim.telegram.people"
local query = require "parley.sim.telegram.params"
local time = require "host.time"
local world = require "parley.sim.telegram.world"

local M = {}

local WAIT_MAX_S = 50

local actions = {}

-- `count` makes so many: b1_bot, b2_bot, ... with the tokens 8000001:bench, 8000002:bench, ...
function actions.bots(sim, given)
  for i = 1, tonumber(given.count) or 0 do
    sim.world:add_bot { username = ("b%d_bot"):format(i), token = ("%d:bench"):format(8000000 + i) }
  end
  if given.count then return { bots = tonumber(given.count) } end
  local bot = sim.world:add_bot(given)
  return { token = bot.token, user = bot.user }
end

function actions.users(sim, given) return sim.world:add_user(given) end

function actions.chats(sim, given)
  for _, name in ipairs(given.bots or {}) do
    if not sim.world.bots[name] then return nil, ("there is no bot '%s'"):format(name) end
  end
  return sim.world:add_group(given).chat
end

function actions.faults(sim, given)
  local ok, problem = sim.faults:add(given)
  return ok and { rules = #sim.faults.rules }, problem
end

function actions.calm(sim)
  sim.faults:clear()
  return { rules = 0 }
end

-- { limits = false }: none; or some of pace.DEFAULTS in the place of what they are.
function actions.limits(sim, given)
  sim.limits = false
  if given.limits ~= false then
    sim.limits = {}
    for kind, default in pairs(pace.DEFAULTS) do
      sim.limits[kind] = type(given.limits) == "table" and given.limits[kind] or default
    end
  end
  return { limits = sim.limits }
end

-- Many people who write all the time (load.lua); the number that comes back is for the view.
function actions.load(sim, given)
  local l, problem = load.start(sim.world, #sim.loads + 1, given)
  if not l then return nil, problem end
  sim.loads[#sim.loads + 1] = l
  return { load = #sim.loads, people = #l.people }
end

for _, name in ipairs {
  "send", "album", "edit", "press", "react", "block", "invite", "migrate", "update", "again",
  "flood", "business",
} do actions[name] = people[name] end

-- what can be read --------------------------------------------------------------------------------

local views = {}

function views.state(sim)
  local bots, users, chats = json.array(), json.array(), json.array()
  for _, bot in pairs(sim.world.bots) do
    bots[#bots + 1] = {
      user = bot.user, token = bot.token, pending = world.pending(bot),
      webhook = bot.webhook and bot.webhook.url, secret = bot.webhook and bot.webhook.secret,
      commands = bot.commands,
      polls = bot.poller or 0,
    }
  end
  for _, user in pairs(sim.world.users) do users[#users + 1] = user end
  for _, entry in pairs(sim.world.chats) do chats[#chats + 1] = entry.chat end
  table.sort(bots, function(a, b) return a.user.id < b.user.id end)
  table.sort(users, function(a, b) return a.id < b.id end)
  return { bots = bots, users = users, chats = chats, last_event = sim.world.last_event }
end

-- How many bots there are, and how many have asked for updates.
function views.polls(sim)
  local all, polling = 0, 0
  for _, bot in pairs(sim.world.bots) do
    all, polling = all + 1, polling + (bot.poller and 1 or 0)
  end
  return { bots = all, polling = polling }
end

local function reactions_of(entry)
  local out = {}
  for id, list in pairs(entry and entry.reactions or {}) do out[tostring(id)] = list end
  return out
end

function views.messages(sim, given)
  local bot = sim.world.bots[given.bot]
  local id = tonumber(given.chat)
  if not bot or not id then return nil, "bot and chat are needed" end
  local private = (given.business or bot.user.id) .. ":" .. given.chat
  local entry = sim.world.chats[id > 0 and private or given.chat]
  return {
    messages = json.array(entry and { unpack(entry.messages) } or {}),
    keyboard = entry and entry.keyboard, reactions = reactions_of(entry),
  }
end

-- Waits until there is something after that number, or for so many seconds.
function views.events(sim, given)
  local after = tonumber(given.after) or 0
  local deadline = time.mono() + math.min(tonumber(given.timeout) or 0, WAIT_MAX_S)
  local events = sim.world:events_after(after)
  while #events == 0 and time.mono() < deadline do
    sim.world.watched:wait(deadline - time.mono())
    events = sim.world:events_after(after)
  end
  return { events = events, last = sim.world.last_event }
end

function views.calls(sim, given)
  local after, out = tonumber(given.after) or 0, json.array()
  for n = math.max(after, sim.last_call - sim.calls_max) + 1, sim.last_call do
    local call = sim.calls[n]
    if (not given.bot or call.bot == given.bot)
      and (not given.method or call.method == given.method) then
      out[#out + 1] = call
    end
  end
  return { calls = out, last = sim.last_call, counts = sim.counts }
end

-- What a load has seen; with `stop` its people write no more.
function views.load(sim, given)
  local l = sim.loads[tonumber(given.load) or #sim.loads]
  if not l then return nil, "there is no such load" end
  if given.stop then l:stop() end
  return l:view(given.each ~= nil)
end

local function answer(req, status, value)
  req:respond(status, "Content-Type: application/json\r\n", (json.encode(value)))
end

---@param name string what comes after /sim/
function M.serve(sim, req, method, name, text)
  local given = query.read(req, text)
  local run = (method == "POST" and actions or views)[name]
  if not run then
    return answer(req, 404, { error = ("there is no %s /sim/%s"):format(method, name) })
  end
  if not given then return answer(req, 400, { error = "the body cannot be read" }) end
  local result, problem = run(sim, given)
  if not result then return answer(req, 400, { error = problem or "refused" }) end
  answer(req, 200, result)
end

---The same without HTTP, for specs in this process.
M.actions, M.views = actions, views

return M
