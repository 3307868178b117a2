-- LLMError of the contract.

local M = {}

---@class parley.LLMError
---@field code string timeout connect bad_status invalid_response too_large rate_limited
---   circuit_open invalid_request
---@field message string never holds the key
---@field retryable boolean
---@field provider string
---@field http_status? integer
---@field attempt integer
---@field retry_after? number seconds, as the provider said

--- Makes an LLMError.
---@param provider string
---@param code string
---@param message string
---@param more? table further fields
---@return parley.LLMError
function M.new(provider, code, message, more)
  local err = {
    code = code, message = message, provider = provider, retryable = false, attempt = 1, op = "llm",
  }
  for k, v in pairs(more or {}) do err[k] = v end
  return err
end

return M
