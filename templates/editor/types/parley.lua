---@meta _

-- The global `parley`, for editors (LuaCATS). The host has the code; nothing here is run.

-- ## The plugin (example: plugin)

---Where a failure comes from the environment, a call gives `nil, err`.
---@class parley.Error
---@field code string `permission`, `quota`, `timeout`, `invalid`, `too_large`, ...
---@field message string what was wrong, and what to do
---@field retryable boolean whether the same call may succeed later
---@field op? string what was under way

---@class parley
---@field name string of this plugin
---@field json parley.json as below
parley = {}

---@class parley.Plugin
---@field on parley.on registers handlers
local plugin = {}

---What main.lua begins with, once, and returns at its end.
---@return parley.Plugin
function parley.plugin() end

---Called once before this version serves, in the state that is to serve; when it raises, the
---version is refused and the one before goes on. Nothing of the host is there but the log.
---@param fn fun(check: {config: table, log: parley.log})
function plugin.self_check(fn) end

---Brings data that an older version has left from version `from` (manifest: data_version) to the next:
---sessions, and what jobs were scheduled with. When it raises, the data stay as they are.
---@param from integer
---@param fn fun(data: table, kind: "session"|"job", job: string|nil): table|nil the new data; nil: what is in `data` now
function plugin.migrate(from, fn) end

---A text with formatting, which nothing that users have typed can break.
---@return parley.Text
function parley.text() end

---The time. In a conversation it stays what it was when its code runs again.
---@return number time seconds since 1970, with a fraction
function parley.now() end

---A new id. In a conversation it stays what it was when its code runs again.
---@return string id a UUID of version 7: later ones sort later
function parley.uuid() end

---@class parley.json
local json = {}

---A value as JSON.
---@param value any a table, text, number, boolean or `null`
---@return string|nil text
---@return parley.Error|nil err
function json.encode(value) end

---What a JSON text says.
---@param text string
---@return any value JSON's null is `null`
---@return parley.Error|nil err
function json.decode(text) end

-- ## Handlers (example: handlers)
-- A handler is registered once, when `main.lua` runs. One that is called by a name stands alone for it; texts and presses
-- are tried in the order in which their handlers were registered.

---Conditions of a handler, between its name and its function.
---@class parley.HandlerOptions
---@field role? "user"|"operator"|"admin"|string[] for others the next plugin is asked
---@field limit? string how often, like "2/s", "10/m", "100/h" or "3/20s"; who comes sooner is told to wait
---@field by? "user"|"dialog" whom the limit is for, default user
---@field limited? fun(c: parley.Context, seconds: integer) says it instead
---@field typing? boolean shows that an answer is on its way

---@class parley.on
local on = {}

---`/name rest`; manifest.json has to name the command too.
---@param name string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, rest: string)
---@overload fun(name: string, fn: fun(c: parley.Context, rest: string))
function on.command(name, options, fn) end

---What the classifier has recognised; the examples are in manifest.json.
---@param name string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, intent: parley.Intent)
---@overload fun(name: string, fn: fun(c: parley.Context, intent: parley.Intent))
function on.intent(name, options, fn) end

---The next message after `c:enter(name)`.
---@param name string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, text: string)
---@overload fun(name: string, fn: fun(c: parley.Context, text: string))
function on.state(name, options, fn) end

---What `c:schedule` has planned.
---@param name string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, data: table|nil)
---@overload fun(name: string, fn: fun(c: parley.Context, data: table|nil))
function on.job(name, options, fn) end

---A message of the type `event` with the payload `{plugin, name, data}`, or one of the events in the manifest's `events`, of
---Telegram for instance.
---@param name string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, data: table|nil)
---@overload fun(name: string, fn: fun(c: parley.Context, data: table|nil))
function on.event(name, options, fn) end

---A text that fits a Lua pattern; its captures are the further arguments.
---@param pattern string
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, ...: string)
---@overload fun(pattern: string, fn: fun(c: parley.Context, ...: string))
function on.text(pattern, options, fn) end

---A press of a button whose data have exactly these fields; `"*"` takes the rest.
---@param spec table<string, parley.FieldType>|"*"
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, data: table)
---@overload fun(spec: table<string, parley.FieldType>|"*", fn: fun(c: parley.Context, data: table))
function on.callback(spec, options, fn) end

---What a field of a button's data is; or `enum(a,b)`.
---@alias parley.FieldType "string"|"int"|"number"|"bool"|string

---What no other handler takes.
---@param options parley.HandlerOptions
---@param fn fun(c: parley.Context, text: string)
---@overload fun(fn: fun(c: parley.Context, text: string))
function on.any(options, fn) end

---Called instead of failing, when a handler raises.
---@param fn fun(c: parley.Context, err: {code: string, message: string})
function on.error(fn) end

-- ## Formatted text (example: text)
-- What users have typed cannot break the formatting: it stands beside the words. Each call gives the text again.

---@class parley.Text
local Text = {}

---Plain words.
---@param s string|number
---@return parley.Text self
function Text:add(s) end

---A line's end; with a text, the text and the line's end.
---@param s? string
---@return parley.Text self
function Text:line(s) end

---Bold words.
---@param s string|number
---@return parley.Text self
function Text:bold(s) end

---Words in italics.
---@param s string|number
---@return parley.Text self
function Text:italic(s) end

---Underlined words.
---@param s string|number
---@return parley.Text self
function Text:underline(s) end

---Words that are struck out.
---@param s string|number
---@return parley.Text self
function Text:strikethrough(s) end

---Code within a line.
---@param s string|number
---@return parley.Text self
function Text:code(s) end

---Words that are hidden until somebody taps on them.
---@param s string|number
---@return parley.Text self
function Text:spoiler(s) end

---Code of several lines.
---@param s string|number
---@param language? string of the code
---@return parley.Text self
function Text:pre(s, language) end

---Words that lead to a page.
---@param s string|number
---@param url string with http:// or https://
---@return parley.Text self
function Text:link(s, url) end

---What c:reply takes, with more of its fields.
---@param more? parley.Reply
---@return parley.Reply
function Text:reply(more) end

-- ## Conversations

---Straight-line code that waits for people, begun by c:enter(name).
---@param name string
---@param options? {cancel?: string[]|false, cancelled?: fun(c: parley.Context)}
---@param fn fun(c: parley.Context, args: table|nil)
---@overload fun(name: string, fn: fun(c: parley.Context, args: table|nil))
function plugin.conversation(name, options, fn) end

-- ## Menus and keyboards

---A menu: one message with buttons. The function is called whenever it is to be shown, and says what
---it is now; the host sends what has changed.
---@param name string
---@param fn fun(c: parley.Context, args: table): parley.MenuView|parley.Text
function plugin.menu(name, fn) end
