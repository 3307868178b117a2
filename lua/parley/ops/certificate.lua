-- The certificate of the listener over TLS. Whatever renews it replaces files; it is in service a
-- moment later, or the one before stays and the log says what is wrong with the new one.

local crypto = require "host.crypto"
local fs = require "host.fs"
local log = require "parley.ops.log"
local meters = require "parley.ops.meters"
local task = require "host.task"
local time = require "host.time"
local tls = require "host.tls"

local M = {}
M.__index = M

local LOOK_S = 10
local FILE_MAX = 256 * 1024
local WARN_DAYS = 14
local DAY_S = 86400

-- Changes with the files. Links are followed: what renews certificates often moves links only.
local function signature(files)
  local text = fs.read(files.certificate, FILE_MAX)
  local key = fs.stat(files.key)
  return ("%s %s"):format(text and crypto.hex(crypto.sha256(text)) or "none",
    key and ("%d:%.9f"):format(key.size, key.mtime) or "none")
end

local function days_left(self) return (self.info.not_after - time.now_ms() / 1000) / DAY_S end

-- Once a day: nobody reads what is said all the time.
local function warn(self)
  local now, left = time.mono(), days_left(self)
  if left >= WARN_DAYS or (self.warned and now - self.warned < DAY_S) then return end
  self.warned = now
  log.write(left > 0 and "warn" or "error", left > 0 and "the certificate ends soon"
    or "the certificate has ended: clients refuse it", {
      file = self.files.certificate, subject = self.info.subject, days = math.floor(left),
    })
end

-- Why clients would refuse a certificate today.
local function out_of_time(info, file)
  local now = time.now_ms() / 1000
  if info.not_after <= now then
    return ("%s: the certificate has ended: it was valid until %s"):format(file,
      time.rfc3339(info.not_after * 1000))
  elseif info.not_before > now then
    return ("%s: the certificate is valid from %s only: is the clock right?"):format(file,
      time.rfc3339(info.not_before * 1000))
  end
end

---Reads the certificate of a configuration, without using it.
---@param cfg table of parley.config, with tls
---@param serving table|nil the certificate in service: another one that is out of its time does not
---  take its place. A host without any begins with what it has, and says so
---@return table|nil read for use()
---@return table|nil err
function M.read(cfg, serving)
  local read = { files = cfg.tls, signature = signature(cfg.tls) }
  local context, err = tls.load(cfg.tls)
  local problem = err and err.message
  local before = serving and serving.info
  if context and before and context:info().fingerprint ~= before.fingerprint then
    problem = out_of_time(context:info(), cfg.tls.certificate)
  end
  if problem then
    meters.tls_reloads:with("failed"):inc()
    return nil, { code = "config", message = "tls: " .. problem, retryable = false, op = "tls" }
  end
  read.context = context
  return read
end

---Has the server use what was read for new connections; others go on as they are.
---@param read table of read()
function M:use(read)
  local info = read.context:info()
  local known = self.info and self.info.fingerprint == info.fingerprint
  self.files, self.signature, self.context = read.files, read.signature, read.context
  self.info, self.problem = info, nil
  if self.server then self.server:use_tls(read.context) end
  if self.begin then self.server, self.begin = self.begin(read.context), nil end
  meters.tls_expiry:with("https"):set(info.not_after)
  if not known then
    self.warned = nil
    meters.tls_reloads:with("ok"):inc()
    log.write("info", "certificate in service", {
      file = read.files.certificate, subject = info.subject, names = info.names,
      days = math.floor(days_left(self)),
    })
  end
  warn(self)
end

---Reads the certificate that a listener begins with.
---@param cfg table of parley.config, with tls
---@return table|nil certificate `context` is for host.http_server's listen
---@return table|nil err
function M.open(cfg)
  local read, err = M.read(cfg)
  if not read then return nil, err end
  local self = setmetatable({}, M)
  self:use(read)
  return self
end

---Takes up what has changed on the disk. Files that do not fit together are looked at again: they
---may have been replaced one after the other.
function M:look()
  if self.info then warn(self) end
  if signature(self.files) == self.signature and not self.problem then return end
  local read, err = M.read({ tls = self.files }, self)
  if read then return self:use(read) end
  if err.message ~= self.problem then
    self.problem = err.message
    log.write("error", "the new certificate is refused, the one before goes on", {
      error = err.message,
    })
  end
end

---Waits for a certificate: of a worker that begins anew while the files cannot be used. Whatever
---else the host does goes on.
---@param cfg table of parley.config, with tls
---@param err table of open()
---@param begin fun(context: userdata): table|nil starts the server, when there is one
---@return table certificate
function M.await(cfg, err, begin)
  local self = setmetatable({ files = cfg.tls, problem = err.message, begin = begin }, M)
  log.write("error", "there is no certificate to serve TLS with: the files are looked at again", {
    error = err.message,
  })
  self:watch()
  return self
end

---Looks after the certificate of a server from now on, in a task.
---@param server table|nil of host.http_server; nil: there is none yet
function M:watch(server)
  self.server = server
  self.task = task.spawn(function()
    while true do
      task.sleep(LOOK_S)
      self:look()
    end
  end)
end

function M:close()
  if self.task then self.task:cancel() end
end

---For `parley status`.
---@return {subject: string|nil, names: string|nil, days: integer|nil, problem: string|nil} status
---  without a subject: there is none
function M:status()
  if not self.info then return { problem = self.problem } end
  return {
    subject = self.info.subject, names = self.info.names, days = math.floor(days_left(self)),
    problem = self.problem,
  }
end

return M
