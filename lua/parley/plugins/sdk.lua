-- The trusted code of a plugin's state. Each state has its own copy of it, of the same bytecode,
-- compiled once in a process: a state is so built in a third of the time, and a quarter smaller.

local fs = require "host.fs"
local prelude = require "parley.engine.prelude"

local M = {}

-- In the order in which they are loaded.
---@type string[] names of files
M.PARTS = {
  "check", "journal", "session", "locales", "messages", "actions", "jobs", "services", "context",
  "text", "menu", "conversation", "forms", "options", "handlers", "init",
}

-- Parts that are there only where the sources of a plugin have one of these words: what a state has
-- without them is half of what it has with them.
local TALKS = { "conversation", ":ask", ":choose", ":confirm" }
local WORDS = {
  journal = TALKS, conversation = TALKS, forms = TALKS, menu = { "menu", "keyboard" },
  jobs = { "schedule", ":every" },
}

local compiled = {}

local function code(path)
  if not compiled[path] then
    local text, err = fs.read(fs.data_dir() .. "/lua/parley/" .. path .. ".lua")
    if not text then error("cannot read the SDK: " .. err.message) end
    compiled[path] = string.dump(assert(loadstring(text, "=" .. path)))
  end
  return compiled[path]
end

---What makes the environment of a state, for host.sandbox's new.
---@return string bytecode
function M.prelude()
  compiled.prelude = compiled.prelude
    or string.dump(assert(loadstring(prelude.text(), "=engine/sandbox")))
  return compiled.prelude
end

local function is_needed(part, sources)
  if not WORDS[part] then return true end
  for _, text in ipairs(sources) do
    for _, word in ipairs(WORDS[part]) do
      if text:find(word, 1, true) then return true end
    end
  end
  return false
end

---The SDK itself, for a state's load.
---@param sources string[] of the plugin
---@return fun(): integer|nil, string|nil bytecode of each part, in order
function M.parts(sources)
  local i = 0
  return function()
    repeat i = i + 1 until not M.PARTS[i] or is_needed(M.PARTS[i], sources)
    if M.PARTS[i] then return i, code("sdk/" .. M.PARTS[i]) end
  end
end

return M
