-- files: what users have sent, kept here, and what is to be sent to them. A file is known by its
-- id; a plugin has it as a value only where it reads it, a piece at a time.

local gate = require "parley.plugins.gate"
local time = require "host.time"

local PUT_MAX = 1000000 -- as much as a call at the door may bring
local READ_MAX = 256 * 1024
local NAME_MAX = 255

local function owner_of(invocation)
  return { plugin = invocation.manifest.name, user_id = invocation.user.id }
end

local function shown(blob)
  return {
    id = blob.id, size = blob.size, type = blob.type, name = blob.name, hash = blob.hash,
    expires_at = math.floor(blob.expires_at / 1000),
  }
end

-- {name, type, ttl}, checked; nil and err.
local function options_of(given)
  if given == nil then return {} end
  if type(given) ~= "table" then
    return gate.refuse("invalid", "files: the options are a table { name =, type =, ttl = }")
  end
  local out = {}
  if given.name ~= nil then
    if type(given.name) ~= "string" or #given.name > NAME_MAX or given.name:find "[%c/\\]" then
      return gate.refuse("invalid", "files: name: a name without folders expected")
    end
    out.name = given.name
  end
  if given.type ~= nil then
    if type(given.type) ~= "string" or not given.type:find "^[%w.+-]+/[%w.+-]+$" then
      return gate.refuse("invalid", "files: type: a media type like text/csv expected")
    end
    out.type = given.type:lower()
  end
  if given.ttl ~= nil then
    if type(given.ttl) ~= "number" or given.ttl ~= given.ttl or given.ttl <= 0 then
      return gate.refuse("invalid", "files: ttl: seconds expected")
    end
    out.ttl = given.ttl
  end
  return out
end

local function put(invocation, data, given)
  if type(data) ~= "string" then return gate.refuse("invalid", "files: put: a text expected") end
  if #data > PUT_MAX then
    return gate.refuse("too_large", "files: put: %d bytes, at most %d are allowed", #data, PUT_MAX)
  end
  local options, err = options_of(given)
  if not options then return nil, err end
  local blob
  blob, err = invocation.blobs:put(data, owner_of(invocation), options)
  if not blob then return nil, err end
  return shown(blob)
end

-- A file of this plugin. Others may send one whose id they know, not look into it.
local function own(invocation, id)
  if type(id) == "table" then id = id.id end
  if type(id) ~= "string" then return gate.refuse("invalid", "files: the id of a file expected") end
  local blob, err = invocation.blobs:get(id)
  if err then return nil, err end
  if not blob or blob.plugin ~= invocation.manifest.name then
    return gate.refuse("not_found", "files: this plugin has no such file, or its time has passed")
  end
  return blob
end

local function read(invocation, id, offset, length)
  local blob, err = own(invocation, id)
  if not blob then return nil, err end
  offset, length = offset or 0, length or READ_MAX
  if type(offset) ~= "number" or offset < 0 or offset % 1 ~= 0 or type(length) ~= "number"
    or length < 1 or length > READ_MAX or length % 1 ~= 0 then
    return gate.refuse("invalid", "files: read: a place in the file, and 1 to %d bytes, expected",
      READ_MAX)
  end
  local file = io.open(invocation.blobs:path(blob.hash), "rb")
  if not file then
    return gate.refuse("not_found", "files: the bytes are not on this host: data/blobs of its "
      .. "home is not what the others have")
  end
  file:seek("set", offset)
  local data = file:read(length)
  file:close()
  return data
end

local function download(invocation, what, given)
  local options, err = options_of(given)
  if not options then return nil, err end
  local channel = invocation.channel
  if not channel or not channel.download then
    return gate.refuse("unavailable", "files: there is nothing to download from in the channel of "
      .. "this dialog")
  end
  local id = what
  if type(what) == "table" then
    id, options.name = what.file_id, options.name or what.file_name
  end
  if type(id) ~= "string" or id == "" or #id > 512 then
    return gate.refuse("invalid", "files: download: the payload of a message with a file expected")
  end
  options.kind = type(what) == "table" and what.kind or nil
  local blob
  blob, err = channel:download(invocation.dialog_id, id, {
    owner = owner_of(invocation), name = options.name, ttl = options.ttl, kind = options.kind,
    size = type(what) == "table" and tonumber(what.file_size) or nil,
    deadline = invocation.deadline - time.live(),
  })
  if not blob then return nil, err end
  return shown(blob)
end

for name, run in pairs {
  put = put, read = read, download = download,
  info = function(invocation, id)
    local blob, err = own(invocation, id)
    if not blob then return nil, err end
    return shown(blob)
  end,
  delete = function(invocation, id)
    local blob, err = own(invocation, id)
    if not blob then return nil, err end
    return invocation.blobs:delete(blob.id, blob.plugin)
  end,
} do gate.register("files." .. name, { permission = "files", run = run }) end
