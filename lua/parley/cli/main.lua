-- The command line: finds the command's file and runs it.

local commands = {
  busted = "parley.cli.busted",
}

return function(name, ...)
  local module = commands[name or ""]
  if not module then
    io.stderr:write("parley: no such command: ", tostring(name), "\n")
    return 64
  end
  return require(module)(...)
end
