---@meta parley.testkit

-- require "parley.testkit", for editors (LuaCATS).

-- ## The test kit (example: kit)
-- `require "parley.testkit"` in a spec of the plugin. Each reply is what the user would get, the time is the spec's own, and
-- no network is needed.

---@class parley.testkit
local kit = {}

---@class parley.TestkitOptions
---@field dir? string the plugin's folder; default: the one whose spec/ the caller is in
---@field config? table the operator's settings of the plugin
---@field conf? table other keys of conf/parley.lua, {secrets = {...}}
---@field locale? string of the user, default "en"
---@field http? table<string, parley.TestkitRoute> answers of others by "METHOD URL", or "METHOD URL*"
---@field llm? string|string[]|fun(request: table): (string|table|nil, string|nil) what the language model answers

---@alias parley.TestkitRoute parley.TestkitAnswer|fun(request: parley.TestkitRequest): parley.TestkitAnswer
---@alias parley.TestkitAnswer string|{status?: integer, json?: any, body?: string, headers?: table, error?: string}

---@class parley.TestkitRequest
---@field method string
---@field url string
---@field headers table<string, string>
---@field body? string
---@field json? any

---@class parley.TestkitSay
---@field dialog? string
---@field user? string
---@field locale? string

---@class parley.TestkitReply
---@field text string
---@field actions table[]
---@field buttons parley.Button[] of all actions, in one list
---@field status? "answered"|"fallback"|"queued"|"failed"|"reset"
---@field plugin? {name: string, version: string}
---@field intent? parley.Intent

---A real core on a temporary database, with this plugin.
---@param options? parley.TestkitOptions
---@return parley.TestkitBot
function kit.start(options) end

---@class parley.TestkitBot
---@field requests parley.TestkitRequest[] that the plugin has made, with the secrets that the host has put in
---@field chats table[] what the language model was asked
local bot = {}

---Sends a text, and waits for the answer.
---@param text string
---@param o? parley.TestkitSay
---@return parley.TestkitReply
function bot:say(text, o) end

---Presses a button of the last reply that had some.
---@param label string|integer its text, a part of it, or its number
---@param o? parley.TestkitSay
---@return parley.TestkitReply
function bot:press(label, o) end

---Sends any message; the user and the type have defaults.
---@param message parley.Message
---@param o? parley.TestkitSay
---@return parley.TestkitReply
function bot:send(message, o) end

---Lets time pass, from one job that is due to the next; all that are due by then have fired.
---@param seconds number
---@param dialog? string
---@return parley.TestkitReply[] replies that came by themselves
function bot:advance(seconds, dialog) end

---The jobs that wait, the next one first.
---@return {job: string, id: string?, every: number?, data: any, dialog: string, seconds: number}[] list the seconds are from now
function bot:jobs() end

---The plugin's session in a dialog.
---@param dialog? string
---@return table
function bot:session(dialog) end

---Why the last event of the plugin failed, nil when it did not.
---@return {code: string, message: string}|nil
function bot:last_error() end

---Ends the core, and takes its database away.
function bot:stop() end

return kit
