-- The entry of the command line, as host/main.c runs it.

return function(...) return require("parley.cli.main").main(...) end
