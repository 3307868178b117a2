-- One dialog of a host, over its public API, for a person: failures are words that say what to do.

local crypto = require "host.crypto"
local http = require "host.http_client"
local json = require "host.json"
local task = require "host.task"

local M = {}
M.__index = M

local TIMEOUT_S = 60
local MAX_BODY = 16 * 1024 * 1024
local TRIES = 3

---@param o table {url, token, user, dialog, t = fun(key: string, ...): string}
function M.new(o)
  o.base = ("%s/api/v1/dialogs/%s"):format(o.url:gsub("/+$", ""), o.dialog)
  return setmetatable(o, M)
end

local function failure(self, r)
  local problem = json.decode(r.body or "")
  if type(problem) ~= "table" then problem = {} end
  local detail = problem.detail or problem.title or ("status " .. r.status)
  local key = r.status == 401 and "unauthorized" or r.status == 403 and "forbidden"
    or r.status == 429 and "wait" or r.status >= 500 and "unavailable" or "refused"
  return {
    code = problem.code or "failed",
    message = self.t(key, detail, problem.trace_id or r.headers["x-trace-id"] or "-"),
  }
end

local function request(self, method, path, body)
  local r, err = http.request {
    method = method, url = self.base .. path, timeout = TIMEOUT_S, max_body = MAX_BODY,
    body = body and json.encode(body),
    allow_private = true, -- the person has named the address
    headers = {
      ["X-Bot-Token"] = self.token, ["Content-Type"] = body and "application/json" or nil,
    },
  }
  if not r then
    return nil, { code = err.code, message = self.t("unreachable", self.url, err.message) }
  end
  if r.status >= 400 then return nil, failure(self, r) end
  local answer, problem = json.decode(r.body)
  if type(answer) == "table" then return answer end
  return nil, {
    code = "failed", message = self.t("refused", problem and problem.message or "not JSON"),
  }
end

---Sends a message and waits for its reply. A connection that breaks meanwhile - a worker may have
---been replaced - is no end: by its id the host tells a second try from a second message.
---@param message table
---@return table|nil reply DialogMessageResponseV1
---@return table|nil err
function M:send(message)
  message.user, message.channel = { external_id = self.user }, "terminal"
  message.message_id = crypto.uuid7()
  for try = 1, TRIES do
    local reply, err = request(self, "POST", "/messages", message)
    if reply or err.code ~= "connection" or try == TRIES then return reply, err end
    task.sleep(0.2 * try)
  end
end

---Starts over.
function M:reset() return request(self, "POST", "/reset", {}) end

---The latest replies of the dialog, oldest first.
---@return table[]|nil list {id, actions}
function M:latest()
  local snapshot, err = request(self, "GET", "?limit=20")
  if not snapshot then return nil, err end
  local out = {}
  for _, m in ipairs(snapshot.messages) do
    if m.sender_type ~= "user" then
      out[#out + 1] = { id = m.id, actions = m.payload.actions or {} }
    end
  end
  return out
end

return M
