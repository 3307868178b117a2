-- parley busted ARGS: runs specs inside the host, so that they use the real primitives.

local M = { about = "Runs busted inside the host. Its arguments are busted's own.", raw = true }

function M.run(...)
  _G.arg = { [0] = "parley busted", ... }
  -- busted ends by os.exit, which would skip the host's own end; it becomes this command's result.
  local code = 0
  local stop = {}
  local real_exit = os.exit
  os.exit = function(status) -- luacheck: ignore
    code = (status == true or status == nil) and 0 or (status == false and 1 or status)
    error(stop, 0)
  end
  local ok, err = pcall(require("busted.runner"), { standalone = false })
  os.exit = real_exit -- luacheck: ignore
  if not ok and err ~= stop then error(err, 0) end
  return code
end

return M
