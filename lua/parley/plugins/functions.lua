-- What to call the functions of a plugin that a profile names by file and line: as their author
-- does, in the line that defines them.

local M = {}

local CLIP = 48

local function clip(text) return #text <= CLIP and text or text:sub(1, CLIP - 3) .. "..." end

---@param line string of source that a function begins in
---@return string
function M.name(line)
  local named = line:match "function%s+([%a_][%w_.:]*)%s*%("
    or line:match "([%a_][%w_.:]*)%s*=%s*function%s*%("
  if named then return clip(named) end
  -- p.on.command("order", function(c) ...: what it is given to, and for what.
  local to, what = line:match "([%a_][%w_.:]*)%s*%(?%s*[\"']([^\"']*)[\"']"
  if to and what then return clip(("%s %s"):format(to:gsub("^p%.", ""), what)) end
  return clip((line:gsub("^%s+", ""):gsub("%s+$", "")))
end

---@param files {main: string, lib: table<string, string>} of a plugin
---@return fun(frame: string): string|nil name of "file:line"; nil: there is no such place
function M.of(files)
  local lines = {}
  local function read(file)
    local text = file == "main.lua" and files.main or files.lib[file:match "^lib/(.*)%.lua$" or ""]
    local out = {}
    for line in ((text or "") .. "\n"):gmatch "([^\n]*)\n" do out[#out + 1] = line end
    return out
  end
  return function(frame)
    local file, number = frame:match "^(.*):(%d+)$"
    if not file then return nil end
    if number == "0" then return "(all of the file)" end
    lines[file] = lines[file] or read(file)
    local line = lines[file][tonumber(number)]
    return line and line:find "%S" and M.name(line) or nil
  end
end

return M
