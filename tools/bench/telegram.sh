# Shared by the parts of tools/bench/telegram: sourced, not run.
BOT_TOKEN=7000001:bench
export BOT_TOKEN

# await_word WORD FILE PID: until a process has written it.
await_word() {
  for ((i = 0; i < 1000; i++)); do
    if grep -q "$1" "$2" 2>/dev/null; then return; fi
    kill -0 "$3" || break
    sleep 0.02
  done
  echo "'$1' was expected in what a program says:" >&2
  cat "$2"* >&2
  exit 1
}

# start_sim: a simulated Telegram without limits, with one bot; sets api, sim_pid.
start_sim() {
  : >"$work/sim" # what the one before has said is not its greeting
  build/parley sim telegram --listen 127.0.0.1:0 --no-limits --token "$BOT_TOKEN" >"$work/sim" 2>&1 &
  sim_pid=$!
  pids+=("$sim_pid")
  await_word token "$work/sim" "$sim_pid"
  api=$(sed -n 's|^page *\(.*\)/$|\1|p' "$work/sim")
}

stop() { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
stop_sim() { stop "$sim_pid"; }

json() { curl -s --max-time 30 --fail-with-body -H 'Content-Type: application/json' "$@"; }
sim() { json "$api/sim/$1" -d "$2"; }                 # an action of the simulator
call() { json "$api/bot$BOT_TOKEN/$1" -d "${2:-{\}}"; } # a method of the Bot API
pending() { call getWebhookInfo | jq .result.pending_update_count; }

# await_load SECONDS: waits until everybody was answered, at most so long; prints what was seen.
await_load() {
  local seen
  for ((i = 0; i < $1 * 10; i++)); do
    seen=$(curl -s --max-time 30 "$api/sim/load")
    [ "$(jq .done <<<"$seen")" != true ] || break
    sleep 0.1
  done
  echo "$seen"
}

# measure LOAD SECONDS: prints what a load has seen.
measure() {
  sim load "$1" >/dev/null
  await_load "$2"
}

# Hundredths of a second of a core that processes have used, with their children.
cpu() {
  local p sum=0 fields
  for p in "$@"; do
    read -ra fields < <(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null) || continue
    sum=$((sum + fields[11] + fields[12] + fields[13] + fields[14] + $(cpu $(pgrep -P "$p"))))
  done
  echo "$sum"
}

# parley_home DIR: starts a host that calls the simulator.
parley_home() {
  : >"$1.out" # start_host looks into it before the host has begun
  PARLEY_TELEGRAM_API=$api PARLEY_TELEGRAM_PACED=false start_host "$1"
  bot_pid=$host_pid
}

# at_webhook DIR NAME: adds the simulator's bot to the host there, and has its updates brought.
at_webhook() {
  PARLEY_BOT_TOKEN=$BOT_TOKEN PARLEY_TELEGRAM_API=$api build/parley bot add "$2" --home "$1" >/dev/null
  PARLEY_TELEGRAM_API=$api build/parley bot set-webhook "$2" --home "$1" --url "$url" --max-connections 100 >/dev/null
}

# start_bot NAME DIR: a contender; sets bot_pid.
start_bot() {
  local redis=
  mkdir -p "$2"
  case $1 in
    parley-polling) TELEGRAM_BOT_TOKEN=$BOT_TOKEN parley_home "$2" ;;
    parley-webhook) parley_home "$2"; at_webhook "$2" sim ;;
    grammy-*)
      : >"$2.out"
      [[ $1 != *redis* ]] || redis=$PARLEY_REDIS_URL
      API=$api SECRET=secret REDIS_URL=$redis node tools/bench/peers/grammy/bot.js "${1##*-}" "$2" >"$2.out" 2>"$2.err" &
      bot_pid=$!
      pids+=("$bot_pid")
      await_word ready "$2.out" "$bot_pid"
      [[ $1 != *webhook ]] || call setWebhook '{"url":"http://127.0.0.1:'"$(sed -n 's/^ready //p' "$2.out")"'/",
        "secret_token":"secret","max_connections":100}' >/dev/null ;;
    *) echo "nothing is called $1" >&2; exit 64 ;;
  esac
}
