-- The parameters of a call: from the query, a form, a multipart form with files, or JSON. Telegram
-- takes all of them for each method (Bot API, Making requests).

local json = require "host.json"

local M = {}

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(h) return string.char(tonumber(h, 16)) end))
end

local function read_form(text, out)
  for pair in (text or ""):gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=?(.*)$"
    out[unescape(name)] = unescape(value)
  end
end

-- RFC 7578: parts between boundaries, each with its Content-Disposition.
local function read_multipart(body, boundary, out, files)
  local mark = "--" .. boundary
  local at = body:find(mark, 1, true)
  while at do
    local from = at + #mark
    if body:sub(from, from + 1) == "--" then return true end
    local stop = body:find("\r\n" .. mark, from, true)
    local head_end = body:find("\r\n\r\n", from, true)
    if not stop or not head_end or head_end > stop then return false end
    local head, content = body:sub(from, head_end), body:sub(head_end + 4, stop - 1)
    local name = head:match 'name="([^"]*)"'
    if not name then return false end
    local file = head:match 'filename="([^"]*)"'
    if file then
      files[name] = {
        name = file, content = content, mime = head:match "[Cc]ontent%-[Tt]ype: *([^\r\n]+)",
      }
    else
      out[name] = content
    end
    at = stop + 2
  end
  return false
end

-- In forms, what is not a text is written as JSON.
local function structured(value)
  if type(value) ~= "string" or not value:find "^%s*[%[{]" then return value end
  local decoded = json.decode(value)
  if decoded == nil then return value end
  return decoded
end

-- JSON null is an absent parameter.
local function tidy(out)
  for name, value in pairs(out) do
    if value == json.null then out[name] = nil else out[name] = structured(value) end
  end
  return out
end

---@param req userdata of host.http_server
---@param query string|nil
---@return table|nil params by name; nil: they cannot be read
---@return table files by name: {name, content, mime}
function M.read(req, query)
  local out, files = {}, {}
  read_form(query, out)
  local kind, body = (req:header "content-type" or ""):lower(), req:body()
  if body == "" then return tidy(out), files end
  if kind:find("application/json", 1, true) then
    local given = json.decode(body)
    if type(given) ~= "table" then return nil, files end
    for name, value in pairs(given) do out[name] = value end
  elseif kind:find("multipart/form-data", 1, true) then
    local boundary = (req:header "content-type"):match 'boundary="?([^";]+)"?'
    if not boundary or not read_multipart(body, boundary, out, files) then return nil, files end
  else
    read_form(body, out)
  end
  return tidy(out), files
end

---@return integer|nil
function M.integer(value)
  local n = tonumber(value)
  return n and n % 1 == 0 and n or nil
end

---@return boolean
function M.flag(value)
  return value == true or value == "true" or value == "True" or value == "1"
end

return M
