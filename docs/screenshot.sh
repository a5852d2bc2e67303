#!/usr/bin/env bash
# Takes the README's picture: a demo of its own, a text and its answer, a call that rings, and Chromium to look at them.
#
#   docs/screenshot.sh [FILE]        (default docs/demo.png; needs curl and chromium)
set -euo pipefail
cd "$(dirname "$0")/.."
picture=$(realpath -m "${1:-docs/demo.png}")
cargo build --release --quiet
program=${CARGO_TARGET_DIR:-target}/release/qdn-relay

folder=$(mktemp -d)
trap 'kill "$demo" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
"$program" demo --port 0 >"$folder/printed" &
demo=$!

# Waits for a command to succeed, ten seconds at most.
wait_for() {
    for _ in {1..100}; do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "in vain: $*" >&2
    exit 1
}
# What the page is sent; it never ends by itself.
events() { curl -sN --max-time 0.3 "$page/events" || true; }
shows() { grep -qF -- "$1" < <(events); }
does() { curl -sf -o "$folder/answer" -H 'content-type: application/json' -d "$2" "$page/$1"; }

wait_for grep -q http "$folder/printed"
page=$(grep -o 'http://[0-9.:]*' "$folder/printed")
does text '{"from": "+16195550142", "body": "Hi! Is the sunset cruise on tonight? We are four."}'
wait_for shows '"ts":'
thread=$(events | grep -o '"ts":"[0-9.]*"' | sed -n 1p | cut -d'"' -f4)
does say '{"user": "U0DANA", "thread_ts": "'"$thread"'", "broadcast": false,
    "text": "It is! Boarding at *5 pm* at pier 3 :sailboat: and bring a jacket."}'
wait_for shows white_check_mark
does say '{"user": "U0DANA", "thread_ts": "'"$thread"'", "broadcast": false, "text": "// regulars, give them the bow"}'
wait_for shows '"lock"'
does command '{"user": "U0SERGIO", "text": "/qdn away 30m lunch"}'
wait_for shows '(lunch)'
does text '{"from": "+18585550163", "body": "Can we bring the dog?"}'
wait_for shows 'the dog'
does call '{"from": "+16195550142"}'
wait_for shows '"is":"ringing"'

chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$folder/chromium" --window-size=1280,1000 --timeout=3000 \
    --screenshot="$picture" "$page/" 2>"$folder/chromium.log" || { cat "$folder/chromium.log" >&2; exit 1; }
echo "$picture: $(stat -c %s "$picture") bytes"
