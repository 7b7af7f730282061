# What the user sees: one line a step, with seconds; a failure is one sentence that helps.
# shellcheck shell=bash disable=SC2034,SC2154

if [[ -t 1 ]]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m' clear=$'\r\e[K'
else
	bold='' dim='' red='' green='' plain='' clear=''
fi

fail() {
	echo "${red}error:${plain} $*" >&2
	exit 1
}

note() {
	echo "${dim}        $*${plain}"
}

seconds_since() {
	local ms=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 1000))
	printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# step TEXT HINT COMMAND...: runs it and prints one line with the time it took. What the command prints goes to a log; when it fails the
# log's end is shown and HINT says what to do. While it runs, its newest line is shown (a terminal) or a sign of life every 20 s
# (a file, CI). Never call it where bash ignores errors (`step ... || x`, `if step`): the command would run on after its own failures.
step() {
	local text=$1 hint=$2 started=$EPOCHREALTIME log=$state/logs/step.log status=0 pid ticks=0
	shift 2
	mkdir -p "$state/logs"
	: >"$log"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill $pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		if [[ -n $clear ]]; then
			if ((ticks % 5 == 4)); then
				printf '%s  …   %-40s %s%6s s  %.60s%s' "$clear" "$text" "$dim" "$(seconds_since "$started")" \
					"$(tail -n 1 "$log" | tr -d '\r\033')" "$plain"
			fi
		elif ((ticks % 200 == 199)); then
			printf '  …   %-40s %6s s  %.100s\n' "$text" "$(seconds_since "$started")" "$(tail -n 1 "$log" | tr -d '\r\033')"
		fi
		ticks=$((ticks + 1))
		sleep 0.1
	done
	wait "$pid" || status=$?
	trap - INT TERM
	if ((status)); then
		printf '%s  %s✗   %s%s\n' "$clear" "$red" "$text" "$plain"
		tail -n 40 "$log" | sed 's/^/      /' >&2
		fail "$hint"
	fi
	printf '%s  %s✓%s   %-40s %6s s\n' "$clear" "$green" "$plain" "$text" "$(seconds_since "$started")"
}
