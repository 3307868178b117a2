-- What has gone wrong with a plugin or a model, as events and callers of services see it.

local M = {}

local function class(title, who, codes, description)
  return {
    title = title, type = "object", description = description,
    required = { "code", "message", "retryable", who },
    properties = {
      code = { type = "string", enum = codes },
      message = { type = "string", description = "for people; holds no secret" },
      retryable = { type = "boolean", description = "the same call may go well later" },
      [who] = { type = "string" },
      http_status = { type = "integer", minimum = 100, maximum = 599 },
      attempt = { type = "integer", minimum = 1, description = "how often it was tried" },
    },
  }
end

M.PluginErrorV1 = class("PluginErrorV1", "plugin", {
  "timeout", "connect", "bad_status", "invalid_response", "too_large", "rate_limited", "permission",
  "quota", "cpu_limit", "memory_limit", "exception", "crashed", "disabled", "circuit_open",
}, "the details of plugin_failed and plugin_timeout, with the invocation_id")

M.LLMErrorV1 = class("LLMErrorV1", "provider", {
  "timeout", "connect", "bad_status", "invalid_response", "too_large", "rate_limited",
  "circuit_open", "invalid_request",
}, "what c.llm gives back with nil")

return M
