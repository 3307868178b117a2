-- Who sends this request? The path is short for a token that was seen lately, and cannot be abused
-- to make the host work: junk fails on its checksum, an unknown id without bcrypt, a known one
-- waits in a bounded line for one of two hashing places.
--
-- A verified token is remembered for a minute by an HMAC under a key of this process: bcrypt costs
-- 50 ms, and the token itself is not kept in memory.

local crypto = require "host.crypto"
local task = require "host.task"
local time = require "host.time"
local token = require "parley.auth.token"

local M = {}
M.__index = M

local REMEMBER_S = 60
local REMEMBER_MAX = 10000
local PLACES = 2
local LINE = 32

---@param tokens {get: (fun(id: string): table|nil, table|nil), used: (fun(id: string))?} used is
---  called when a token was verified anew: about once a minute while it is in use
function M.new(tokens)
  return setmetatable({
    tokens = tokens, key = crypto.random(32), seen = {}, seen_count = 0, places = PLACES, line = 0,
    free = task.cond(), flights = {}, forgotten = 0,
  }, M)
end

local function unauthorized() return nil, { code = "unauthorized", status = 401 } end

local function valid(row, now)
  return not row.revoked_at and (not row.expires_at or row.expires_at > now)
end

-- The secret before the last one is good for a while, so that whoever uses the token can change it
-- without a pause.
local function old_matches(secret, row)
  if not row.old_hash or row.old_until <= time.now_ms() then return false end
  return crypto.bcrypt_check(secret, row.old_hash)
end

-- Takes one of the hashing places, or says that the line is too long. The second value: when the
-- secret ends before its token does.
local function hash_matches(self, secret, row)
  if self.places == 0 then
    if self.line >= LINE then
      return nil, { code = "busy", status = 503, message = "too many tokens are being verified" }
    end
    self.line = self.line + 1
    local ok, err = self.free:wait(10)
    self.line = self.line - 1
    if not ok then return nil, { code = "busy", status = 503, message = err.message } end
  else
    self.places = self.places - 1
  end
  local same, err = crypto.bcrypt_check(secret, row.hash)
  local ends
  if same == false then
    same, err = old_matches(secret, row)
    ends = same and row.old_until
  end
  -- The place goes to who waits first, or back.
  if self.free:signal() == 0 then self.places = self.places + 1 end
  if same == nil then return nil, { code = "unavailable", status = 503, message = err.message } end
  return same, nil, ends
end

local function who_is(row, ends)
  local scopes = {}
  for _, scope in ipairs(row.scopes) do scopes[scope] = true end
  return {
    id = row.id, kind = row.kind, scopes = scopes,
    expires_at = math.min(row.expires_at or math.huge, ends or math.huge),
    until_s = time.mono() + REMEMBER_S,
  }
end

local function remember(self, mark, who)
  if self.seen_count >= REMEMBER_MAX then self.seen, self.seen_count = {}, 0 end
  if not self.seen[mark] then self.seen_count = self.seen_count + 1 end
  self.seen[mark] = who
end

local function verify(self, text, parts, mark)
  local forgotten = self.forgotten
  local row, err = self.tokens.get(parts.id)
  if err then return nil, { code = "unavailable", status = 503, message = err.message } end
  if not row or row.kind ~= parts.kind or not valid(row, time.now_ms()) then
    return unauthorized()
  end
  local same, ends
  same, err, ends = hash_matches(self, text, row)
  if err then return nil, err end
  if not same then return unauthorized() end
  local who = who_is(row, ends)
  -- What was read may be from before a token was revoked meanwhile.
  if forgotten == self.forgotten then remember(self, mark, who) end
  if self.tokens.used then self.tokens.used(row.id) end
  return who
end

---@param text string|nil the token as it came
---@return {id: string, kind: string, scopes: table<string, true>}|nil who
---@return {code: string, status: integer, message: string|nil}|nil err
function M:identify(text)
  if not text or text == "" or #text > 72 then return unauthorized() end
  local mark = crypto.hmac_sha256(self.key, text)
  local who = self.seen[mark]
  if who and who.until_s > time.mono() and who.expires_at > time.now_ms() then return who end
  local parts = token.parse(text)
  if not parts then return unauthorized() end
  -- Many requests with the same new token: one hashes, the others take its answer.
  local flight = self.flights[mark]
  if flight then
    local ok, err = flight.done:wait(10)
    if not ok then return nil, { code = "busy", status = 503, message = err.message } end
    return flight.who, flight.err
  end
  flight = { done = task.cond() }
  self.flights[mark] = flight
  flight.who, flight.err = verify(self, text, parts, mark)
  self.flights[mark] = nil
  flight.done:broadcast()
  return flight.who, flight.err
end

---A token was revoked or changed: forget what was verified.
---@param id string|nil of the token; nil: some or other, so all of them
function M:forget(id)
  self.forgotten = self.forgotten + 1
  for mark, who in pairs(self.seen) do
    if not id or who.id == id then
      self.seen[mark] = nil
      self.seen_count = self.seen_count - 1
    end
  end
end

return M
