-- The services behind the door, by pleasant names. Each call waits, and gives nil and what was
-- wrong when the environment has failed; what is wrong with the call itself is said at the author's
-- line.

local host, freeze = host, freeze
local check, C = parley.check, parley.methods
local misuse, mine, of = check.misuse, check.context, check.library

local function kind_of(v) return v == nil and "nothing" or type(v) end

local function options(what, o, known)
  if o == nil then return end
  if type(o) ~= "table" then misuse("%s: a table of options expected, got %s", what, type(o)) end
  if known then check.fields(what, o, known) end
end

-- A library refuses names that it has not, with the one that was meant.
local function library(name, functions)
  setmetatable(functions, {
    __index = function(_, key)
      misuse("c.%s has no '%s'%s", name, check.show(key), check.hint(key, functions))
    end,
  })
  C[name] = freeze(name, functions)
end

-- kv ----------------------------------------------------------------------------------------------

local KV = { scope = "string", ttl = "number" }

local function check_key(what, key)
  if type(key) ~= "string" then misuse("%s: a key expected, got %s", what, kind_of(key)) end
end

library("kv", {
  get = function(self, key, o)
    of(self, C.kv, "kv:get")
    check_key("kv:get", key)
    options("kv:get", o, KV)
    return host("kv.get", key, o)
  end,
  set = function(self, key, value, o)
    of(self, C.kv, "kv:set")
    check_key("kv:set", key)
    if value == nil then
      misuse "kv:set: a value expected, got nothing: kv:delete takes one away"
    end
    options("kv:set", o, KV)
    return host("kv.set", key, value, o)
  end,
  delete = function(self, key, o)
    of(self, C.kv, "kv:delete")
    check_key("kv:delete", key)
    options("kv:delete", o, KV)
    return host("kv.delete", key, o)
  end,
})

-- http --------------------------------------------------------------------------------------------

local http = {}

function http.request(self, request)
  of(self, C.http, "http:request")
  if type(request) ~= "table" then
    misuse("http:request: a table { method =, url =, ... } expected, got %s", kind_of(request))
  end
  return host("http", request)
end

local function call(what, method, url, body, o)
  if type(url) ~= "string" then misuse("%s: a URL expected, got %s", what, kind_of(url)) end
  if o ~= nil and type(o) ~= "table" then
    misuse("http: a table of options expected, got %s", type(o))
  end
  local request = { method = method, url = url, body = body }
  for k, v in pairs(o or {}) do request[k] = v end
  return host("http", request)
end

for _, method in ipairs { "get", "delete" } do
  http[method] = function(self, url, o)
    of(self, C.http, "http:" .. method)
    return call("http:" .. method, method:upper(), url, nil, o)
  end
end
for _, method in ipairs { "post", "put", "patch" } do
  http[method] = function(self, url, body, o)
    of(self, C.http, "http:" .. method)
    return call("http:" .. method, method:upper(), url, body, o)
  end
end
library("http", http)

-- files, llm, log ---------------------------------------------------------------------------------

local files = {}
for _, name in ipairs { "put", "read", "info", "delete" } do
  files[name] = function(self, ...)
    of(self, C.files, "files:" .. name)
    return host("files." .. name, ...)
  end
end
library("files", files)

---A file that a user has sent, kept here from now on: the payload of its message.
function C:download(what, o)
  mine(self, "download")
  if type(what) ~= "table" then
    misuse("download: the payload of a message with a file expected, got %s", kind_of(what))
  end
  options("download", o)
  return host("files.download", what, o)
end

library("llm", {
  chat = function(self, request)
    of(self, C.llm, "llm:chat")
    if type(request) ~= "string" and type(request) ~= "table" then
      misuse("llm:chat: a text, or { messages = ... }, expected, got %s", kind_of(request))
    end
    return host("llm.chat", request)
  end,
})

local log = {}
for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(self, message, fields)
    of(self, C.log, "log:" .. level)
    local good, text = pcall(tostring, message)
    if not good then misuse "log: the __tostring of the message fails" end
    options("log", fields)
    return host("log", level, text, fields)
  end
end
library("log", log)
parley.log = C.log

---What was said in this dialog, oldest first.
function C:history(n)
  mine(self, "history")
  if n ~= nil and (type(n) ~= "number" or n < 1 or n % 1 ~= 0) then
    misuse("history: a positive whole number expected, got %s", check.show(n))
  end
  return host("history", n or 20)
end

-- A handle: the gate puts the secret into an outgoing header; it never enters this state.
C.secret = freeze("secret", function(_, name) return { __secret = name } end)
