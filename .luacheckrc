std = "luajit"
max_line_length = 100
exclude_files = { "build", "node_modules" }
files["spec"] = { std = "luajit+busted" }
files["plugins/*/spec"] = { std = "luajit+busted" }
-- Plugins and rules see the sandbox's globals, not the platform's.
files["plugins/*/main.lua"] = { globals = {}, read_globals = { "parley", "utf8" } }
files["plugins/*/lib"] = { read_globals = { "parley", "utf8" } }
files["conf"] = { read_globals = { "env", "secret", "include" } }
