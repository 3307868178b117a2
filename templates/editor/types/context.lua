---@meta _

-- The context `c` of a handler, for editors (LuaCATS): what has come, and the ways to answer it.

-- ## The context
-- What each handler gets first, `c`: what has come, who it is from, and the ways to answer.

---@class parley.Context
---@field message parley.Message empty when a job is due
---@field event parley.Event
---@field user parley.User
---@field dialog parley.Dialog
---@field intent? parley.Intent
---@field config table the operator's settings of this plugin
---@field locale string of the user, or of the dialog
---@field trace_id string the event's, as in the log
---@field invoked_by? string the plugin that has this one answer, by c:invoke
---@field session table<string, any> kept for this dialog: JSON values
---@field secret table<string, parley.Secret> by the names under "secrets" of manifest.json
---@field kv parley.kv
---@field http parley.http
---@field files parley.files
---@field llm parley.llm
---@field log parley.log
local Context = {}

---@class parley.Message
---@field user? table who it is from, as the channel said; see c.user
---@field type? "text"|"command"|"callback"|"photo"|"voice"|"audio"|"video"|"document"|"sticker"|"location"|"contact"|"event"
---@field text? string
---@field payload? table of what is no text; of a callback `data`
---@field message_id? string
---@field channel? string
---@field locale? string
---@field sent_at? string RFC 3339
---@field reply_to? string
---@field context? table what the client has added

---@class parley.Event
---@field type string of the message, or "job", "menu"
---@field message? parley.Message
---@field job? string
---@field id? string of a job that was scheduled with one
---@field name? string of an event
---@field data? table of a job or an event
---@field menu? parley.MenuShown that is to be shown

---@class parley.User
---@field id string
---@field role "user"|"operator"|"admin"
---@field locale? string
---@field name? string

---@class parley.Dialog
---@field id string
---@field channel string
---@field locale? string
---@field reset_version integer counts the resets
---@field state table what was stored; c.session reads and writes it
---@field menu? parley.MenuShown that is open, when it is of this plugin

---@class parley.MenuShown
---@field name string
---@field args? table

---@class parley.Intent
---@field name? string nil when none is likely
---@field confidence number 0 to 1
---@field source string
---@field alternatives? {name: string, confidence: number}[]

---A handle for a header or `auth`: the value never enters the plugin.
---@class parley.Secret

-- ## Answering (example: answering)
-- What a handler does leaves it together, when it has returned: with what it has stored, or not at all.

---@class parley.Reply
---@field text? string needed unless there is a medium
---@field format? "plain"|"markdown"|"entities"
---@field entities? table[] parley.text() makes them
---@field buttons? parley.Button[][] rows: at most 20, of at most 8
---@field keyboard? parley.Keyboard in the place of `buttons`
---@field photo? parley.Medium
---@field document? parley.Medium
---@field voice? parley.Medium
---@field audio? parley.Medium
---@field video? parley.Medium
---@field sticker? parley.Medium
---@field location? table
---@field contact? table
---@field album? parley.AlbumItem[] 2 to 10: photos and videos, or documents, or audio
---@field poll? parley.Poll
---@field reply_to? string
---@field lane? string
---@field silent? boolean no sound

---One of the four media, with a text of its own.
---@class parley.AlbumItem
---@field photo? parley.Medium
---@field video? parley.Medium
---@field document? parley.Medium
---@field audio? parley.Medium
---@field text? string
---@field format? "plain"|"markdown"

---@class parley.Poll
---@field question string
---@field options string[] 2 to 10
---@field anonymous? boolean default true
---@field multiple? boolean more than one answer
---@field correct? integer of a quiz: the right option
---@field explanation? string of a quiz

---A press comes back as a callback with `data`, or as the text itself; or it opens `url`.
---@class parley.Button
---@field text string
---@field data? table<string, string|number|boolean>
---@field url? string

---@class parley.Medium
---@field url? string
---@field id? string that the channel knows
---@field file? string id of a file of `c.files` or `c:download`

---Answers. At most 50 actions in one event.
---@param what string|number|parley.Reply|parley.Text
function Context:reply(what) end

---Changes a message that was sent before, where the channel can.
---@param message_id string
---@param what string|parley.Reply
function Context:edit(message_id, what) end

---Takes a message away, where the channel can.
---@param message_id string
function Context:delete(message_id) end

---Shows that an answer is on its way, at once.
function Context:typing() end

---A short notice for the press of a button.
---@param text? string at most 200 characters
---@param options? { alert?: boolean } shown until the person closes it
function Context:answer(text, options) end

---A text of locales/ in the user's language. `{name}` is filled in; plurals go by `params.n`.
---@param key string
---@param params? table<string, string|number>
---@return string text the key, when no language has it
function Context:t(key, params) end

-- ## Conversations (example: conversation)
-- Straight-line code that waits for people, over restarts and new versions: see
-- [the plugin guide](plugin-guide.md#conversations).

---@class parley.AskOptions
---@field as? "text"|"int"|"number"|"date"|"time"|"email"|"phone" default "text"; a date comes as "2030-12-24"
---@field min? number of a number, or of the length of a text
---@field max? number
---@field match? string pattern that the answer must have
---@field check? fun(value: any, message: table): any, string|nil another value, true for the same, or nil and what to say
---@field retry? string what is said when the answer is not right
---@field timeout? number seconds
---@field any? boolean the whole message is the answer, whatever it is

---@class parley.ChooseOptions
---@field columns? integer buttons in a row, default 1
---@field retry? string
---@field timeout? number seconds

---@class parley.ConfirmOptions: parley.ChooseOptions
---@field yes? string
---@field no? string

---Asks, and waits for the answer, over restarts and new versions.
---@param question string|parley.Text|table as for reply
---@param options? parley.AskOptions
---@return any|nil value
---@return "timeout"|nil err
function Context:ask(question, options) end

---Asks with buttons; a label or its number may be typed, too.
---@param question string|parley.Text|table as for reply
---@param choices (string|number|{text: string, value: any})[]
---@param options? parley.ChooseOptions
---@return any|nil value
---@return "timeout"|nil err
function Context:choose(question, choices, options) end

---Asks for yes or no, in the user's language.
---@param question string|parley.Text|table as for reply
---@param options? parley.ConfirmOptions
---@return boolean|nil answer
---@return "timeout"|nil err
function Context:confirm(question, options) end

---Lets time pass, over restarts; messages meanwhile go to handlers.
---@param seconds number at most a year
function Context:wait(seconds) end

-- ## Menus and keyboards (example: menus)
-- See [the plugin guide](plugin-guide.md#menus).

---Buttons in the place of the phone's keyboard, until another one comes.
---@class parley.Keyboard
---@field rows? parley.Key[][] at most 20, of at most 8
---@field remove? boolean instead of rows: no such buttons any more
---@field persistent? boolean shown also while the person types
---@field once? boolean hidden after a press
---@field placeholder? string of the field for the text

---A press writes the text, or gives what is asked for.
---@class parley.Key
---@field text string
---@field data? table<string, string|number|boolean> a press is a callback with it, in any language
---@field request? "contact"|"location"

---What a menu's function gives. `text` may be a parley.text().
---@class parley.MenuView
---@field text string|parley.Text
---@field format? "plain"|"markdown"|"entities"
---@field entities? table[]
---@field rows? parley.MenuButton[][] at most 20, of at most 8
---@field keyboard? parley.KeyboardMessage as for c:keyboard

---A press is a callback with `data`, after which the menu is shown as it is then; or it leads on.
---@class parley.MenuButton
---@field text string
---@field data? table<string, string|number|boolean>
---@field url? string
---@field menu? string opens it
---@field args? table of that menu
---@field back? boolean|string to the menu before; a text: to this one when there is none before
---@field close? boolean takes the menu away

---@class parley.KeyboardMessage
---@field text string that brings the keyboard
---@field rows? (string|parley.Key)[][]
---@field remove? boolean
---@field persistent? boolean
---@field once? boolean
---@field placeholder? string

---Opens a menu, or shows it as it is now; without a name the one that is open. Nothing is sent when
---nothing has changed.
---@param name? string
---@param args? table at most 1024 bytes as JSON
---@return boolean shown false: none is open
function Context:menu(name, args) end

---Takes the menu away.
function Context:close_menu() end

---Brings buttons in the place of the phone's keyboard, unless they are there already.
---@param what parley.KeyboardMessage
function Context:keyboard(what) end

-- ## The dialog (example: dialog)

---Begins p.conversation(name) when the handler is done. Without one of this name: the next message of this dialog goes
---to p.on.state(name).
---@param name string
---@param args? table for a conversation
function Context:enter(name, args) end

---It does not any more.
function Context:leave() end

---The conversation is over: nothing of the session is kept.
function Context:finish() end

---Not for this plugin after all: the next one is asked, and nothing that was done here counts.
function Context:decline() end

---Another plugin answers the event here, in the same turn; at most three inside one another.
---@param what string|{plugin: string}|{intent: string}
function Context:invoke(what) end

---A person takes over.
function Context:handoff() end

---The dialog is closed.
function Context:close() end

-- ## Time, events, other people (example: people)

---The user's language from now on, in all their dialogs.
---@param locale? string like "uk"; nil: that of their channel again
function Context:set_locale(locale) end

---Permission `notify`. Says something in another user's dialog with this bot: with this event's
---transaction or not at all, in order with what happens there.
---@param user_id string `c.user.id` of that user
---@param what string|parley.Reply|parley.Text|parley.Reply[] at most 5
---@return true|nil ok
---@return parley.Error|nil err code: user_not_found, no_dialog, blocked
function Context:notify(user_id, what) end

---@class parley.Schedule
---@field job string
---@field data? table handed to the job
---@field ["in"]? number seconds from now
---@field in_? number the same
---@field at? number seconds since 1970, instead of `in`
---@field id? string takes the place of another one of this id; c:unschedule(id) takes it back

---Permission `jobs`. Fires p.on.job(job), also after a restart.
---@param what parley.Schedule
function Context:schedule(what) end

---@class parley.Every: parley.Schedule
---@field seconds number between two times, from a minute to a year; first after them, or at `in` or `at`

---Permission `jobs`. Fires p.on.job(job) again and again, also after a restart; what was missed comes
---once. Its id is the name of the job when it has no other. At most 20 of a plugin in a dialog.
---@param what parley.Every
---@return true|nil ok
---@return parley.Error|nil err code: quota, permission
function Context:every(what) end

---What was scheduled under this id does not come any more.
---@param id string
function Context:unschedule(id) end

---@class parley.Scheduled
---@field id string
---@field job string
---@field data? table
---@field at number seconds since 1970
---@field every? number seconds, when it comes again

---Permission `jobs`: what is scheduled in this dialog under an id, the next one first.
---@return parley.Scheduled[]|nil list
---@return parley.Error|nil err
function Context:scheduled() end

---Permission `events`: a row of the audit.
---@param name string
---@param data? table
function Context:emit(name, data) end

---Permission `history`: what was said, oldest first.
---@param n? integer at most 20
---@return {role: "user"|"plugin"|"operator"|"system", plugin: string?, type: string, text: string, at: string}[]|nil
---@return parley.Error|nil err
function Context:history(n) end

-- ## Telegram (example: telegram)
-- See [the plugin guide](plugin-guide.md#what-only-telegram-has).

---A reaction to the message that has come.
---@param emoji? string nil: none any more
---@param message_id? string|integer of another message of the chat
function Context:react(emoji, message_id) end

---What an inline query finds (event telegram.inline_query).
---@param results table[] at most 50: articles `{id, title, text, format, description, url, thumbnail}`,
---  or results of the Bot API, which have a `type`
---@param options? { cache_seconds?: integer, personal?: boolean, next_offset?: string }
function Context:answer_inline(results, options) end

---Whether a payment may go on (event telegram.pre_checkout_query), within ten seconds.
---@param ok boolean|string a text says why not
function Context:answer_checkout(ok) end

---Permission `telegram`. A method of the Bot API for what has no action here; it goes out with the
---answer, in this chat.
---@param method string
---@param params? table
function Context:telegram(method, params) end

---Permission `telegram`. A method that tells something, at once. At most 20 in one event.
---@param method string
---@param params? table
---@return any result
---@return parley.Error|nil err
function Context:ask_telegram(method, params) end

-- ## Files

---Permission `files`. Keeps a file that a user has sent.
---@param what table|string the payload of its message, or the id that the channel gave it
---@param options? parley.FileOptions
---@return parley.File|nil
---@return parley.Error|nil err code: too_large, type, quota, not_found, timeout, ...
function Context:download(what, options) end
