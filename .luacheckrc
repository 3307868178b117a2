std = "luajit"
max_line_length = 100
exclude_files = { "build", ".parley", "**/node_modules" }
-- Tables of cases read better on one line each.
files["spec"] = { std = "luajit+busted", max_line_length = 130 }
files["plugins/*/spec"] = { std = "luajit+busted", max_line_length = 130 }
-- Templates of what programs are made of read better on one line each.
files["fuzz"] = { max_line_length = 130 }
-- Plugins and rules see the sandbox's globals, not the platform's.
files["templates/*/main.lua"] = { read_globals = { "parley", "utf8" } }
files["templates/reference/*/main.lua"] = { read_globals = { "parley", "utf8", "null" } }
-- Definitions for editors: bodies are empty, and tables hold what nothing here reads.
files["templates/*/types"] = {
  globals = { "parley", "utf8", "null", "os" }, unused_args = false, ignore = { "241" },
  max_line_length = 130,
}
files["templates/*/spec"] = { std = "luajit+busted" }
files["examples/*/spec"] = { std = "luajit+busted" }
files["examples/*/main.lua"] = { read_globals = { "parley", "utf8" } }
files["plugins/*/main.lua"] = { globals = {}, read_globals = { "parley", "utf8" } }
files["fuzz/*/plugin.lua"] = { read_globals = { "parley" } }
files["spec/chaos/plugins/*/main.lua"] = { globals = {}, read_globals = { "parley" } }
files["examples/*/lua/main.lua"] = { globals = {}, read_globals = { "parley", "utf8" } }
files["plugins/*/lib"] = { read_globals = { "parley", "utf8" } }
-- wrk runs this one, in a state of its own.
files["tools/bench/message.lua"] = {
  globals = { "setup", "init", "request", "delay", "id" }, read_globals = { "wrk" }, max_line_length = 130,
}
files["tools/bench/telegram.lua"] = {
  globals = { "setup", "init", "request", "delay", "id" }, read_globals = { "wrk" }, max_line_length = 130,
}
files["tools/bench"] = { max_line_length = 130 }
files["conf"] = { read_globals = { "env", "secret", "include" } }
-- The SDK runs inside a plugin's state, before it is sealed.
files["lua/parley/sdk"] = {
  globals = { "parley", "host", "moments", "torn" },
  read_globals = {
    "export", "freeze", "array_mt", "clock_ms", "call_id", "null", "utf8", "tracing_pcall", "traced",
  },
}
-- So do the rules.
files["lua/parley/rules/compile.lua"] = { read_globals = { "export" } }
