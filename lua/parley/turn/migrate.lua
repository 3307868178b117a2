-- Data that another version of a plugin has left: its session, and what a job was scheduled with.
-- The manifest numbers the form of that data (`data_version`). Older data pass through the plugin's
-- own `p.migrate` before its handler sees them, and are stored by the turn that has asked for them,
-- with their number: so each is migrated once. A migration that fails has changed nothing.

local conversation = require "parley.turn.conversation"
local json = require "host.json"
local session = require "parley.turn.session"

local M = {}

local function refuse(plugin, code, what, from, reason)
  return nil, {
    code = code, retryable = false, plugin = plugin.name,
    message = ("%s of data version %d cannot be brought to %d, and stays as it is: %s"):format(what,
      from, plugin.manifest.data_version, reason),
  }
end

-- Through the plugin's own steps, and checked like what a handler would have left.
local function migrated(plugin, data, from, kind, job)
  local what = kind == "job" and ("the data of the job '%s'"):format(job) or "the session"
  local result, err = plugin.driver:migrate(data, from, kind, job)
  if err then return refuse(plugin, err.code, what, from, err.message) end
  local text, problem
  text, err = json.encode(result)
  if not text then
    problem = err.message
  elseif #text > session.MAX then
    problem = ("%d bytes, at most %d are allowed"):format(#text, session.MAX)
  elseif kind == "session" then
    problem = session.problem(plugin, result)
  end
  if problem then return refuse(plugin, "invalid_response", what, from, problem) end
  return result
end

local function migrate_session(turn, plugin)
  local data, version = session.of(turn, plugin), session.version_of(turn, plugin)
  local wanted = plugin.manifest.data_version
  if not data or version == wanted then return true end
  -- A conversation that has begun with older code goes on with it, and its data are of that.
  local code = conversation.bundle(turn, plugin)
  if code and code ~= plugin.hash then return true end
  if version > wanted then
    if plugin.manifest.session and plugin.manifest.session.newer == "reset" then
      session.replace(turn, plugin, nil, wanted)
    end
    return true
  end
  local result, err = migrated(plugin, data, version, "session")
  if not result then return nil, err end
  session.replace(turn, plugin, next(result) ~= nil and result or nil, wanted)
  return true
end

-- The row of a job stays as it is: an attempt that fails leaves it to the next one.
local function migrate_job(turn, plugin)
  local job = turn.job
  if not job or job.plugin ~= plugin.name or job.data == nil then return true end
  local from = job.data_version or 1
  if from >= plugin.manifest.data_version then return true end
  local err
  turn.job_data, err = migrated(plugin, job.data, from, "job", job.job)
  return turn.job_data ~= nil, err
end

---Brings what a plugin is about to see to the version that it knows.
---@param turn table its session is loaded; `job_data` is set when the job's were migrated
---@param plugin parley.Plugin
---@return boolean|nil ok
---@return table|nil PluginError
function M.run(turn, plugin)
  local ok, err = migrate_session(turn, plugin)
  if ok then ok, err = migrate_job(turn, plugin) end
  return ok, err
end

return M
