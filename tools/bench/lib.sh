# Shared by the benchmarks: sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bench_build() {
  tools/install build run bench >&2
  tools/build >&2
  cmake --preset release -DPARLEY_BENCH=ON >/dev/null
  cmake --build --preset release >/dev/null
}
pids=()
work=$(mktemp -d)
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# start_host HOME: sets url, token, ops, host_pid.
start_host() {
  PARLEY_HTTP_LISTEN=127.0.0.1:0 PARLEY_OPS_LISTEN=127.0.0.1:0 PARLEY_LOG_LEVEL=warn \
    build/parley serve --home "$1" >"$1.out" 2>"$1.err" &
  host_pid=$!
  pids+=("$host_pid")
  until grep -q "metrics and probes" "$1.out"; do
    kill -0 "$host_pid" || { cat "$1.err" >&2; exit 1; }
    sleep 0.01
  done
  url=$(sed -n 's/^Parley listens on //p' "$1.out")
  ops=$(sed -n 's/^metrics and probes on //p' "$1.out")
  token=$(cat "$1/data/dev-token")
}

metric() { curl -s "$ops/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

# wrk's summary: requests/s, median, p99 (ms), failures (not 2xx, and sockets).
wrk_numbers() {
  awk '
    function ms(v) { if (v ~ /us$/) return v / 1000; if (v ~ /ms$/) return v + 0; return v * 1000 }
    /^Requests\/sec/ { rate = $2 }
    /^ *50%/ { p50 = ms($2) } /^ *99%/ { p99 = ms($2) }
    /Non-2xx/ { bad += $NF }
    /Socket errors/ { gsub(",", ""); bad += $4 + $6 + $8 + $10 }
    END { printf "%.0f %.2f %.2f %d\n", rate, p50, p99, bad }'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

machine() {
  echo "$(nproc) cores, $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)"
}
