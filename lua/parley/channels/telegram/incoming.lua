-- Files of people, from Telegram to the store of this host: streamed to the disk, never in memory
-- as a whole. The link to a file has the bot's token in it, and is told to nobody.

local mime = require "parley.blobs.mime"
local task = require "host.task"
local time = require "host.time"

local M = {}

local PAUSE_S, TRIES = 0.5, 4
local GETFILE_S = 15

local function failure(code, message, retryable)
  return nil, {
    code = code, message = "download: " .. message, retryable = retryable == true, op = "telegram",
  }
end

-- Where Telegram has the file.
local function locate(api, file_id, max, seconds)
  local file, err = api:call("getFile", { file_id = file_id }, math.min(seconds, GETFILE_S))
  if not file then
    local said = err.description or ""
    if said:find("too big", 1, true) then
      return failure("too_large", "Telegram gives bots files of at most 20 MB; a Bot API server of "
        .. "one's own gives larger ones")
    elseif said:find("file_id", 1, true) or said:find("file identifier", 1, true) then
      return failure("not_found", "this bot has no such file")
    end
    return nil, err
  end
  if type(file.file_path) ~= "string" then
    return failure("unavailable", "Telegram has not said where the file is", true)
  end
  if (tonumber(file.file_size) or 0) > max then
    return failure("too_large", ("the file has %d bytes, at most %d are allowed (files.max_mb)")
      :format(file.file_size, max))
  end
  return file
end

-- One attempt, from where the last one has stopped. Returns true at the end of the file.
local function read(state, response, left)
  while true do
    local chunk, err = response.body:read(left())
    if err then return nil, err end
    if not chunk then return true end
    if not state.head then
      state.head = chunk:sub(1, 512)
      local ok
      ok, err = state.check(state.head)
      if not ok then return nil, err end
    end
    if state.writer:size() + #chunk > state.max then
      return failure("too_large", ("the file has more than %d bytes (files.max_mb)")
        :format(state.max))
    end
    local ok
    ok, err = state.writer:write(chunk)
    if not ok then return nil, err end
  end
end

local function begin_anew(state)
  state.writer:abort()
  state.head = nil
  local err
  state.writer, err = state.create()
  return state.writer ~= nil, err
end

local function attempt(api, state, path, left)
  local size = state.writer:size()
  local response, err = api:file(path, {
    max = state.max, timeout = left(), from = size > 0 and size or nil,
  })
  if not response then return nil, err end
  local ok = true
  if response.status == 200 and size > 0 then
    ok, err = begin_anew(state) -- the server does not know ranges
  elseif response.status ~= 200 and response.status ~= 206 then
    ok = false
    err = select(2, failure(response.status == 404 and "not_found" or "unavailable",
      ("Telegram answers %d"):format(response.status), response.status >= 500))
  end
  if ok then ok, err = read(state, response, left) end
  response.body:close()
  return ok, err
end

-- A server of one's own may say where the file lies on its own disk.
local function copy(state, path)
  local file, problem = io.open(path, "rb")
  if not file then return failure("not_found", tostring(problem)) end
  local ok, err = read(state, { body = {
    read = function()
      task.sleep(0) -- others go on between two pieces
      return file:read(65536)
    end,
  } }, function() end)
  file:close()
  return ok, err
end

local function bring(api, state, path, left)
  if path:sub(1, 1) == "/" then
    if state.local_files then return copy(state, path) end
    return failure("unavailable", "the Bot API server says where the file lies on its disk: set "
      .. "telegram.local_files where this host has the same disk")
  end
  local tries = 1
  while true do
    local ok, err = attempt(api, state, path, left)
    if ok or not err.retryable or tries == TRIES or left() <= PAUSE_S then return ok, err end
    tries = tries + 1
    task.sleep(PAUSE_S)
  end
end

---Downloads a file.
---@param deps {api: table, blobs: table, local_files: boolean}
---@param file_id string
---@param opts {owner: {plugin: string, user_id: string|nil}, name: string|nil, ttl: number|nil,
---  size: number|nil, id: string|nil, deadline: number} size: as the message says; id: that the
---  file gets here; deadline: seconds
---@return parley.Blob|nil
---@return table|nil err code: too_large, type, quota, not_found, timeout, ...
function M.download(deps, file_id, opts)
  local blobs, ends = deps.blobs, time.live() + opts.deadline
  local function left() return math.max(ends - time.live(), 0.001) end
  local ok, err = blobs:room(opts.owner, opts.size or 0)
  if not ok then return nil, err end
  local file
  file, err = locate(deps.api, file_id, blobs:max(), left())
  if file then ok, err = blobs:room(opts.owner, tonumber(file.file_size) or 0) end
  if not file or not ok then return nil, err end
  local name = opts.name or file.file_path:match "([^/\\]+)$"
  local state = {
    max = blobs:max(), local_files = deps.local_files,
    create = function() return blobs:create() end,
    check = function(head) return blobs:check_type(mime.of(head, name)) end,
  }
  state.writer, err = state.create()
  if not state.writer then return nil, err end
  ok, err = bring(deps.api, state, file.file_path, left)
  if not ok then
    if state.writer then state.writer:abort() end
    return nil, err
  end
  return blobs:keep(state.writer, opts.owner, {
    type = mime.of(state.head or "", name), name = name, ttl = opts.ttl, id = opts.id,
  })
end

return M
