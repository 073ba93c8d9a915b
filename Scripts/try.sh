# try.sh - for the examples' `try` to source after tools.sh: a server at level 2, broken in the middle.
build_tools mfr-load
name=try-$$
server=
log=$(mktemp)

end_server() {
  trap - EXIT
  [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -f "$log"
}
trap end_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "try: $1" >&2
  tail -n 20 "$log" >&2
  echo "0 passed, 1 failed"
  exit 1
}
listens() { (: >"/dev/tcp/127.0.0.1/$1"); }
whole() { "$MFR_BIN/mfr-ctl" status "$name" | grep -q "level 2: protected"; }
free_port() {
  local port=$((20000 + RANDOM % 10000))
  while listens "$port" 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

# Starts a program at level 2 and waits until it serves on $PORT and is protected.
start() {
  "$MFR_BIN/mfr-run" --level 2 --name "$name" -v -- "$@" 2>"$log" &
  server=$!
  wait_for 20 listens "$PORT" || fail "$1 does not listen on port $PORT"
  wait_for 20 whole || fail "$1 is not protected: $("$MFR_BIN/mfr-ctl" status "$name")"
  echo "$1 runs as three replicas"
}

# 300 answers on 4 connections, each of them checked.
check() {
  local kind=$1
  shift
  "$MFR_BIN/mfr-load" "$kind" --port "$PORT" --requests 300 --connections 4 "$@" || fail "a wrong answer"
}

# Says something to the server; the answer must contain a word.
talk() {
  local answer
  answer=$(exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf '%squit\r\n' "$1" >&3 && timeout 5 cat <&3) || true
  [[ $answer == *"$2"* ]] || fail "it answers '$answer'"
  echo "answer: $2"
}

# Kills the leader and waits until all replicas are there again.
break_leader() {
  local before
  before=$("$MFR_BIN/mfr-ctl" status "$name" | awk '$3 == "leader" { print $2 }')
  kill -KILL "$before" || fail "no leader"
  lost_and_whole() { grep -q "lost.*(pid $before)" "$log" && whole; }
  wait_for 20 lost_and_whole || fail "the leader $before was not replaced"
  echo "killed the leader, pid $before; three replicas again"
}

done_well() { echo "1 passed, 0 failed"; }
