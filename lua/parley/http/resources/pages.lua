-- What a browser sees: the contract, the page that shows it, and the chat page. Files are read
-- once, by name from a fixed list: no path of a request ever reaches the file system.

local app = require "parley.http.app"
local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"
local openapi = require "parley.http.openapi"

local M = {}

local TYPES = {
  html = "text/html; charset=utf-8", css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8", svg = "image/svg+xml",
}

-- By the path they are served at.
local FILES = {
  ["/chat"] = "chat.html", ["/docs"] = "docs.html", ["/web/chat.js"] = "chat.js",
  ["/web/chat.css"] = "chat.css", ["/web/chat-texts.js"] = "chat-texts.js",
  ["/web/docs.js"] = "docs.js", ["/web/docs.css"] = "docs.css", ["/web/base.css"] = "base.css",
  ["/web/icon.svg"] = "icon.svg",
}

-- Nothing from other hosts, nothing inline, in no frame.
local HEADERS = "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
  .. "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; "
  .. "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
  .. "form-action 'none'; base-uri 'none'; frame-ancestors 'none'\r\n"

local function file_route(name)
  local text, err = fs.read(fs.data_dir() .. "/web/" .. name)
  if not text then error("the web page " .. name .. " cannot be read: " .. err.message) end
  local etag = '"' .. crypto.hex(crypto.sha256(text)):sub(1, 32) .. '"'
  local headers = HEADERS .. "ETag: " .. etag .. "\r\nContent-Type: "
    .. TYPES[name:match "%.(%w+)$"] .. "\r\n"
  return function(ctx)
    local known = ctx.req:header "if-none-match"
    if known and known:find(etag, 1, true) then
      ctx.status = 304
      ctx.req:respond(304, headers, "")
    else
      ctx.status = 200
      ctx.req:respond(200, headers, text)
    end
    return true
  end
end

---@param router table every other route is there already
function M.register(router)
  for path, name in pairs(FILES) do
    router:add {
      method = "GET", path = path, summary = name, hidden = true, handler = file_route(name),
    }
  end
  local document
  router:add {
    method = "GET", path = "/api/v1/openapi.json", summary = "This document",
    handler = function(ctx)
      document = document or json.encode(openapi.document(router.routes), { sorted = true })
      return app.json(ctx, 200, document)
    end,
  }
end

return M
