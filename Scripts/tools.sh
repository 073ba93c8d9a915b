# tools.sh - for other scripts to source. Sets `root`, the top of the project, and offers the functions below.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/opt/swift/usr/bin:/usr/sbin:/sbin

# Builds the tools named, and what is under test, as release; sets MFR_BIN to where they are. If MFR_BIN is
# set already, nothing is built: the tools are taken from there.
build_tools() {
  "$root/Scripts/setup"
  if [[ -n ${MFR_BIN:-} ]]; then
    return
  fi
  local log product
  log=$(mktemp)
  if ! {
    "$root/Scripts/build" &&
      for product in "$@"; do
        (cd "$root" && swift build -c release --static-swift-stdlib --product "$product") || exit
      done
  } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    echo "the build failed" >&2
    exit 1
  fi
  rm -f "$log"
  export MFR_BIN=$root/.build/release
}

# Compiles C programs into a folder, when they are older than their sources: build_guests FOLDER FILE…
build_guests() {
  local folder=$1 source program
  shift
  mkdir -p "$folder"
  for source in "$@"; do
    program=$folder/$(basename "$source" .c)
    if [[ ! -e $program || -n $(find "$(dirname "$source")" -name '*.[ch]' -newer "$program" -print -quit) ]]; then
      cc -O2 -Wall -Wextra -Werror -o "$program.$$" "$source"
      mv "$program.$$" "$program"
    fi
  done
}

# Waits until a command succeeds, at most so many seconds: wait_for SECONDS COMMAND…  Nothing tells when a program listens
# or is protected, so it looks again and again.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    [[ $SECONDS -lt $end ]] || return 1
    sleep 0.02
  done
}
