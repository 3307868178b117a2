-- What kind of file some bytes are, as far as their beginning tells: not what somebody says of it.

local M = {}

local STARTS = {
  { "\255\216\255", "image/jpeg" }, { "\137PNG\r\n\26\n", "image/png" }, { "GIF8", "image/gif" },
  { "%PDF-", "application/pdf" }, { "OggS", "audio/ogg" }, { "ID3", "audio/mpeg" },
  { "fLaC", "audio/flac" }, { "\26\69\223\163", "video/webm" }, { "\31\139", "application/gzip" },
  { "7z\188\175\39\28", "application/x-7z-compressed" }, { "Rar!\26\7", "application/vnd.rar" },
  { "\127ELF", "application/x-executable" }, { "MZ", "application/x-executable" },
}

-- Those that are ZIP, or text, are told apart by their names.
local ZIPS = {
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  epub = "application/epub+zip", apk = "application/vnd.android.package-archive",
}
local TEXTS = {
  csv = "text/csv", html = "text/html", htm = "text/html", json = "application/json",
  svg = "image/svg+xml", xml = "application/xml", md = "text/markdown", ics = "text/calendar",
}

-- RIFF and ISO media (ISO/IEC 14496-12) say what is in them a few bytes later.
local function of_container(head)
  if head:sub(1, 4) == "RIFF" then
    local form = head:sub(9, 12)
    return form == "WEBP" and "image/webp" or form == "WAVE" and "audio/wav" or nil
  end
  if head:sub(5, 8) ~= "ftyp" then return nil end
  local brand = head:sub(9, 12)
  if brand:find "^M4A" then return "audio/mp4" end
  if brand:find "^hei" or brand == "mif1" then return "image/heic" end
  return brand == "avif" and "image/avif" or "video/mp4"
end

---@param head string the first bytes, 512 are enough
---@param name string|nil of the file
---@return string media type
function M.of(head, name)
  head = head:sub(1, 512)
  for _, start in ipairs(STARTS) do
    if head:sub(1, #start[1]) == start[1] then return start[2] end
  end
  local kind = of_container(head)
  if kind then return kind end
  if head:find "^\255[\251\243\242]" then return "audio/mpeg" end
  local extension = (name or ""):match "%.(%w+)$"
  extension = extension and extension:lower() or ""
  if head:sub(1, 4) == "PK\3\4" then return ZIPS[extension] or "application/zip" end
  if head:find "%z" then return "application/octet-stream" end
  return TEXTS[extension] or "text/plain"
end

return M
