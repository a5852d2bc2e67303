#!/usr/bin/env bash
# Takes the README's picture: a demo of its own, a text and its answer, a call that rings, and Chromium to look at them.
#
#   docs/screenshot.sh [FILE [PROGRAM]]    (default docs/demo.png and the release program; needs curl, chromium and chromedriver)
set -euo pipefail
cd "$(dirname "$0")/.."
picture=$(realpath -m "${1:-docs/demo.png}")
program=${2:-}
if [ -z "$program" ]; then
    cargo build --release --quiet
    program=${CARGO_TARGET_DIR:-target}/release/qdn-relay
fi

folder=$(mktemp -d)
demo='' driver=''
trap 'kill $demo $driver 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
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

wait_for grep -qs http "$folder/printed"
page=$(grep -o 'http://[0-9.:]*' "$folder/printed")
does text '{"from": "+16195550142", "body": "Hi! Is the sunset cruise on tonight? We are four."}'
wait_for shows '"ts":'
thread=$(events | grep -o '"ts":"[0-9.]*"' | sed -n 1p | cut -d'"' -f4)
does say '{"user": "U0DANA", "thread_ts": "'"$thread"'", "broadcast": false,
    "text": "It is! Boarding at *5 pm* at pier 3 :sailboat: and bring a jacket."}'
wait_for shows white_check_mark
does say '{"user": "U0DANA", "thread_ts": "'"$thread"'", "broadcast": false, "text": "note: regulars, give them the bow"}'
wait_for shows '"lock"'
does command '{"user": "U0SERGIO", "text": "/qdn away 30m lunch"}'
wait_for shows '(lunch)'
does text '{"from": "+18585550163", "body": "Can we bring the dog?"}'
wait_for shows 'the dog'
does call '{"from": "+16195550142"}'
wait_for shows '"is":"ringing"'

# The browser, by WebDriver: only it can tell when the page shows everything.
chromedriver --port=0 >"$folder/driver" &
driver=$!
wait_for grep -qs 'on port [1-9]' "$folder/driver"
session="http://127.0.0.1:$(grep -o 'on port [1-9][0-9]*' "$folder/driver" | grep -o '[0-9]*$')/session"
asks() { curl -sf -H 'content-type: application/json' -d "$2" "$session$1"; }
flags='"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-lcd-text", "--window-size=1140,1025",
    "--user-data-dir='$folder'/chromium"'
wanted='{"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": ['$flags']}}}}'
session="$session/$(asks '' "$wanted" | grep -o '"sessionId":"[^"]*"' | cut -d'"' -f4)"
asks /url '{"url": "'"$page"'/"}' >"$folder/answer"
ready='{"script": "return Boolean(document.querySelector(\".telephone.ringing\"))", "args": []}'
is_ready() { asks /execute/sync "$ready" | grep -q true; }
wait_for is_ready
asks /execute/sync '{"script": "for (const what of [\"#guide-close\", \".has-replies\"]) document.querySelector(what).click(); document.activeElement.blur()", "args": []}' >"$folder/answer"
# What has just come moves into its place for a moment.
sleep 1
curl -sf "$session/screenshot" | sed 's/^{"value":"//; s/"}$//' | base64 -d >"$picture"
# A third of the size, where the tool for it is there.
if command -v pngquant >"$folder/answer"; then pngquant --force --output "$picture" "$picture"; fi
curl -sf -X DELETE "$session" >"$folder/answer"
echo "$picture: $(stat -c %s "$picture") bytes"
