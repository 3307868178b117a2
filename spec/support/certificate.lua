-- Certificates of our own making, for a spec: self-signed, by OpenSSL's command line.

local process = require "spec.support.process"

local M = {}

local function openssl(at, ...)
  local r = process.run(at and { "faketime", at, "openssl", ... } or { "openssl", ... })
  assert(r.code == 0, r.err)
end

---Makes DIR/NAME.pem and DIR/NAME.key.
---@param dir string
---@param name string
---@param o {days: integer|nil, kind: string|nil, cn: string|nil, at: string|nil, names: string|nil}|nil days that it is
---  valid for; kind "rsa:2048", "ec" (default); at: when it is made, for faketime; names: default "DNS:localhost,IP:127.0.0.1"
---@return {certificate: string, key: string} paths
function M.make(dir, name, o)
  o = o or {}
  local certificate, key = ("%s/%s.pem"):format(dir, name), ("%s/%s.key"):format(dir, name)
  local kind = o.kind and { "-newkey", o.kind } or { "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256" }
  openssl(o.at, "req", "-x509", kind[1], kind[2], "-nodes", "-keyout", key, "-out", certificate,
    "-subj", "/CN=" .. (o.cn or name), "-addext", "subjectAltName=" .. (o.names or "DNS:localhost,IP:127.0.0.1"),
    "-days", tostring(o.days or 30), unpack(kind, 3))
  return { certificate = certificate, key = key }
end

return M
