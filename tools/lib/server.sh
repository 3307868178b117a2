# What tools/with-postgres and tools/with-redis share: sourced, not run. A server of one's own lives in one
# folder, $dir: its data, its log, and `start`, a script that starts it and returns when it answers. `start`
# serves a second time for whoever has killed the server on purpose.

# server_folder NAME USER: sets $dir, a new folder of USER's that nobody else may enter. A TMPDIR that USER
# cannot reach into (one that another user made with mktemp -d) is of no use to it: then in /tmp.
server_folder() {
  local base=${TMPDIR:-/tmp}
  [ "$2" = "$(id -un)" ] || runuser -u "$2" -- test -x "$base" || base=/tmp
  dir=$(mktemp -d "$base/parley-$1.XXXXXX")
  chown "$2" "$dir"
}

# A port of the loopback on which nobody listens, below the ones that the kernel gives to clients.
free_port() {
  local port
  while port=$((16384 + RANDOM % 16384)); (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

# start_server CONFIGURE: configures the server for a free port and starts it. Another program may take the
# port in between; then with another one.
start_server() {
  local try
  for try in 1 2 3 4 5; do
    port=$(free_port)
    "$1"
    if "$dir/start" >"$dir/start.log" 2>&1; then return 0; fi
  done
  cat "$dir/start.log" "$dir/log" >&2
  exit 1
}

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
