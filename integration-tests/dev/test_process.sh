#!/usr/bin/env bash
# Supervision: what dies comes back, what changed is started again, what did not is left alone.
# shellcheck disable=SC2034,SC2154
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export SOUK_INSTANCE=test-process-$$
for part in say packages build instance process certs stores outside platform status sanitize; do
	# shellcheck disable=SC1090
	source "integration-tests/dev/$part.sh"
done

n=0
finish() {
	process_end_all
	rm -rf "${state:?}"
}
trap finish EXIT

ok() {
	n=$((n + 1))
	echo "ok: $*"
}

# A plain `! command` would not end the test when it fails.
not() {
	! "$@"
}

# wait_until COMMAND...: 20 s at most.
wait_until() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.1
	done
	fail "This did not come true in 20 s: $*"
}

free_port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
define() {
	process_env=("GREETING=$1")
	process_define service web "$free_port" "tcp:$free_port" "$python" -c '
import http.server, os, sys
sys.stderr.write("greeting %s, once %s\n" % (os.environ["GREETING"], os.environ.get("ONCE")))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()' "$free_port"
}
runs_as_another() {
	[[ -n $(process_pid web) && $(process_pid web) != "$1" ]] && process_answers web
}

define "it's a \"quoted\" \$word"
process_start web
process_wait 20 web
first=$(process_pid web)
grep -qF "greeting it's a \"quoted\" \$word, once None" "$state/logs/web.log"
ok "what is defined is started, its environment as it was written"

not grep -qz SOUK_ "/proc/$first/environ"
ok "nothing of the caller's environment reaches it"

process_start web
[[ $(process_pid web) == "$first" ]]
ok "what runs as it is defined is left alone"

process_command kill web ONCE=boom
wait_until runs_as_another "$first"
second=$(process_pid web)
grep -qF 'once boom' "$state/logs/web.log"
ok "kill -9 brings it back, with a variable for this once"

process_command kill web
wait_until runs_as_another "$second"
tail -n 1 "$state/logs/web.log" | grep -qF 'once None'
[[ $(wc -l <"$state/run/web/exits") == 2 ]]
ok "the next start does not have it, and both ends are on record"

third=$(process_pid web)
define changed
process_start web
process_wait 20 web
[[ $(process_pid web) != "$third" ]]
grep -qF 'greeting changed' "$state/logs/web.log"
ok "what is defined otherwise is started again"

status | grep -E "^web +SERVING|^web +running" >/dev/null
ok "status says that it runs"

process_command stop web
[[ -z $(process_pid web) ]]
sleep 1.5
[[ -z $(process_pid web) ]]
not status >/dev/null
ok "what was stopped stays down, and status fails"

process_command start web
process_answers web
ok "and is started again by hand"

process_define service rude "$((free_port + 1))" "tcp:$((free_port + 1))" "$BASH" -c 'echo the reason >&2; exit 3'
process_start rude
complaint=$(not process_wait 20 rude)
[[ $complaint == *'the reason'* ]]
ok "what cannot start is named, with the end of its log"

process_define service second "$free_port" "tcp:$free_port" sleep 1000
taken=$(not eval '(process_start second)' 2>&1)
[[ $taken == *"Port $free_port, which second needs, is taken by"* ]]
ok "a taken port is named, with who has it"

refused=$(not eval "(port_offset=$port_max && ports_check)" 2>&1)
[[ $refused == *"choose a smaller SOUK_PORT_OFFSET"* ]]
ok "ports that outgoing connections may have are refused"

defined=(web)
process_end_undefined
[[ $(process_names) == web ]]
ok "what is defined no more is ended"

process_end_all
not process_supervised web
ok "down leaves nothing"

echo "100%: Checks: $n, Failures: 0, Errors: 0"
