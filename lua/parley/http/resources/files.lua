-- /api/v1/files: what people have sent, for REST plugins, by the links that their calls bring. The
-- first who follows a link has the file brought here, within the limits of `files`; for as long as
-- the link is good it is given from the disk.

local audit = require "parley.store.audit"
local gate = require "parley.plugins.gate"
local time = require "host.time"

local M = {}

local DOWNLOAD_S = 60
local TTL_S = 1800 -- of the file: longer than any link to it
local PIECE = 64 * 1024

-- What a download may end with, in the words of the contract.
local CODES = {
  too_large = "too_large", type = "unsupported_media_type", quota = "files_full",
  not_found = "file_not_found", timeout = "timeout",
}

local function refuse(code, message) return nil, { code = code, message = message } end

-- Whether the plugin may still have files.
local function may_fetch(core, link)
  local plugin = core.manager.current.chooser.by_name[link.plugin]
  return plugin ~= nil and plugin.state ~= "disabled" and gate.allowed(plugin.manifest, "files")
end

local function admit(core, ctx)
  local link = core.links:read(ctx.params.link)
  if not link or not may_fetch(core, link) then
    return refuse("file_not_found", "no file is behind this link")
  end
  if link.expires_at <= time.now_ms() then
    return refuse("file_link_expired", "the link was good for a quarter of an hour")
  end
  ctx.link = link
  return true
end

local function bring(core, ctx)
  local link = ctx.link
  local channel = core.turn.channels.telegram
  local file, err = channel:download(link.dialog_id, link.file_id, {
    owner = { plugin = link.plugin, user_id = link.user_id }, id = link.blob_id, name = link.name,
    kind = link.kind, size = link.size, ttl = TTL_S, deadline = DOWNLOAD_S,
  })
  if not file then
    -- Somebody has followed the same link at the same time.
    local there = core.blobs:get(link.blob_id)
    if there then return there end
    return nil, {
      code = CODES[err.code] or "unavailable", message = err.message, retry_after = err.retry_after,
    }
  end
  local ok
  ok, err = core.db:commit { audit.insert {
    source = link.plugin, action = "file_fetched", severity = "info", trace_id = ctx.trace_id,
    details = { dialog_id = link.dialog_id, size = file.size, type = file.type },
  } }
  if ok then return file end
  return nil, err
end

local HEADERS = "Content-Type: %s\r\nContent-Disposition: %s\r\nX-Trace-Id: %s\r\n"
  .. "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

-- A name that can stand in a header.
local function disposition(name)
  local plain = (name or ""):gsub('[^%w ._()-]', "_")
  return plain ~= "" and ('attachment; filename="%s"'):format(plain) or "attachment"
end

local function give(core, ctx, file)
  local source = io.open(core.blobs:path(file.hash), "rb")
  if not source then
    return refuse("unavailable", "the bytes are not on this host: data/blobs of its home is not "
      .. "what the others have")
  end
  ctx.status = 200
  local ok = ctx.req:start(200, HEADERS:format(file.type, disposition(file.name), ctx.trace_id))
  while ok do
    local piece = source:read(PIECE)
    if not piece then break end
    ok = ctx.req:write(piece)
  end
  source:close()
  if ok then ctx.req:finish() else ctx.req:abort() end
  return true
end

---@param router table
---@param core table parley.core
function M.register(router, core)
  router:add {
    quiet = true, -- the log is not to have links
    method = "GET", path = "/api/v1/files/{link}",
    summary = "Fetch a file that somebody has sent, by a link of a plugin's call",
    problems = {
      "file_not_found", "file_link_expired", "too_large", "unsupported_media_type", "files_full",
      "timeout", "unavailable",
    },
    admit = function(ctx) return admit(core, ctx) end,
    handler = function(ctx)
      local file, err = core.blobs:get(ctx.link.blob_id)
      if not file and not err then file, err = bring(core, ctx) end
      if not file then return nil, err end
      return give(core, ctx, file)
    end,
  }
end

return M
