-- What is known of a version of a plugin that does not serve any more: where it came from, and
-- whether somebody has taken it back. Conversations that have begun with it ask.

local deployments = require "parley.deployments.rows"
local versions = require "parley.plugins.versions"

local M = {}

---@class parley.Past
---@field origin "shipped"|"home"|"bundle"
---@field taken_back string|nil why it is not to run again, for people

-- Why a version that was on trial, or deployed for all, is not to run again.
local function of_deployment(row)
  if row.state == "rolled_back" then
    return ("version %s was rolled back: %s"):format(row.canary_version, row.reason or "no reason")
  elseif row.state == "cancelled" then
    return ("version %s was aborted: %s"):format(row.canary_version, row.reason or "no reason")
  end
end

---@param db table
---@param plugin string
---@param hash string of a bundle
---@return parley.Past|nil past
---@return table|nil err the database is away
function M.of(db, plugin, hash)
  local served, err = versions.of_bundle(db, plugin, hash)
  if err then return nil, err end
  local deployed
  deployed, err = deployments.of_bundle(db, plugin, hash)
  if err then return nil, err end
  local why = deployed and of_deployment(deployed)
  if not why and served and served.taken_back_at then
    why = ("version %s was taken back"):format(served.version)
  end
  -- What nobody can say anything of is somebody else's.
  return {
    origin = served and served.origin or deployed and deployed.origin or "bundle",
    taken_back = why,
  }
end

return M
