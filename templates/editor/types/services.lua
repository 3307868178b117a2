---@meta _

-- The services of the context, for editors (LuaCATS). Calls that wait just wait.

-- ## Values (example: values)

---Permission `kv`. Writes happen with the reply, or not at all.
---@class parley.kv
local kv = {}

---@class parley.KvOptions
---@field scope? "plugin"|"dialog"|"user" default "plugin"
---@field ttl? number seconds; of a set

---What was stored under a key.
---@param key string
---@param options? parley.KvOptions
---@return any value nil when there is none
---@return parley.Error|nil err
function kv:get(key, options) end

---Stores a value under a key, together with the reply.
---@param key string
---@param value any JSON, at most 16 KiB of it
---@param options? parley.KvOptions
---@return true|nil ok
---@return parley.Error|nil err
function kv:set(key, value, options) end

---Forgets a key.
---@param key string
---@param options? parley.KvOptions
---@return true|nil ok
---@return parley.Error|nil err
function kv:delete(key, options) end

-- ## HTTP (example: web)

---Permission `http:HOST` for each host. No redirects are followed.
---@class parley.http
local http = {}

---@class parley.HttpOptions
---@field headers? table<string, string|number|parley.Secret>
---@field auth? string|parley.Secret sent as a bearer token
---@field timeout? number seconds, at most 10
---@field json? table the body, as JSON

---@class parley.HttpRequest: parley.HttpOptions
---@field url string
---@field method? "GET"|"HEAD"|"POST"|"PUT"|"PATCH"|"DELETE" default "GET"
---@field body? string|table a table is sent as JSON

---@class parley.HttpResponse
---@field status integer
---@field ok boolean the status is below 300
---@field headers table<string, string> the names in lower case
---@field body string
---@field json any of a body whose type is JSON

---Any request.
---@param request parley.HttpRequest
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:request(request) end

---GET.
---@param url string
---@param options? parley.HttpOptions
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:get(url, options) end

---DELETE.
---@param url string
---@param options? parley.HttpOptions
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:delete(url, options) end

---POST. It makes the message durable first: after a crash the event comes again.
---@param url string
---@param body? string|table a table is sent as JSON
---@param options? parley.HttpOptions
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:post(url, body, options) end

---PUT, as `post`.
---@param url string
---@param body? string|table a table is sent as JSON
---@param options? parley.HttpOptions
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:put(url, body, options) end

---PATCH, as `post`.
---@param url string
---@param body? string|table a table is sent as JSON
---@param options? parley.HttpOptions
---@return parley.HttpResponse|nil
---@return parley.Error|nil err
function http:patch(url, body, options) end

-- ## Files (example: files)

---Permission `files`. A file is known by its id; it is kept as long as the operator lets it, or for
---`ttl` seconds, and outlives a turn that fails.
---@class parley.files
local files = {}

---@class parley.File
---@field id string
---@field size integer bytes
---@field type string media type, as its first bytes say
---@field name? string
---@field hash string SHA-256, in hex
---@field expires_at integer unix seconds

---@class parley.FileOptions
---@field name? string without folders
---@field type? string default: what the first bytes say
---@field ttl? number seconds

---Keeps what the plugin has made.
---@param data string at most 1 MB
---@param options? parley.FileOptions
---@return parley.File|nil
---@return parley.Error|nil err code: too_large, quota, type, ...
function files:put(data, options) end

---A piece of a file.
---@param file string|parley.File
---@param offset? integer default 0
---@param length? integer at most 262144, the default
---@return string|nil data nil without err behind the end
---@return parley.Error|nil err
function files:read(file, offset, length) end

---What a file is.
---@param file string|parley.File
---@return parley.File|nil
---@return parley.Error|nil err
function files:info(file) end

---Forgets a file before its time.
---@param file string|parley.File
---@return true|nil ok
---@return parley.Error|nil err
function files:delete(file) end

-- ## Language models (example: model)

---Permission `llm:chat`. At most 5 calls in one event.
---@class parley.llm
local llm = {}

---@class parley.LlmRequest
---@field messages {role: "system"|"user"|"assistant", content: string}[] at most 50
---@field temperature? number
---@field max_tokens? integer
---@field json_schema? table what the answer has to be, then in `json`

---@class parley.LlmAnswer
---@field text string
---@field json any
---@field model string
---@field source string
---@field usage {prompt_tokens: integer, completion_tokens: integer, cost: number}

---Asks the language model that the operator has set up.
---@param request string|parley.LlmRequest
---@return parley.LlmAnswer|nil
---@return parley.Error|nil err
function llm:chat(request) end

-- ## The log (example: logbook)
-- Secrets are taken out of it. `parley plugin logs` shows the latest.

---Lines in the host's log: 20 for each event.
---@class parley.log
local log = {}

---For whoever works on the plugin: `parley plugin logs --level debug`.
---@param message string
---@param fields? table
function log:debug(message, fields) end

---What is worth knowing.
---@param message string
---@param fields? table
function log:info(message, fields) end

---What somebody should look at.
---@param message string
---@param fields? table
function log:warn(message, fields) end

---What has gone wrong.
---@param message string
---@param fields? table
function log:error(message, fields) end
