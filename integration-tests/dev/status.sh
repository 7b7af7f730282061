# Looking at a running platform.
# shellcheck shell=bash disable=SC2034,SC2154

# Proportional set size: shared pages are divided among those that share them, so that a sum counts each page once.
pss_kib() {
	awk '$1 == "Pss:" { print $2 }' "/proc/$1/smaps_rollup" 2>/dev/null || true
}

mib() {
	printf '%d.%d' $(($1 / 1024)) $(($1 % 1024 * 10 / 1024))
}

duration() {
	local seconds=$1
	if ((seconds < 120)); then
		echo "${seconds} s"
	elif ((seconds < 7200)); then
		echo "$((seconds / 60)) min"
	elif ((seconds < 172800)); then
		echo "$((seconds / 3600)) h"
	else
		echo "$((seconds / 86400)) d"
	fi
}

# What the process says of itself: its health follows from its real dependencies.
process_state() {
	local name=$1 pid=$2 ready
	if [[ -z $pid ]]; then
		process_supervised "$name" && [[ $(<"$state/run/$name/supervise/stat") == run* ]] && echo restarting || echo stopped
		return
	fi
	ready=$(<"$state/run/$name/ready")
	if process_answers "$name"; then
		[[ $(<"$state/run/$name/kind") == service ]] && echo SERVING || echo running
	elif [[ $ready == http* ]] && curl --silent --max-time 2 --output /dev/null "$ready"; then
		echo NOT_SERVING
	else
		echo 'no answer'
	fi
}

status() {
	local name kind pid pss sum ends uptime all_well=0 color what
	local -a names
	if [[ -z $(process_names) ]]; then
		echo "Nothing runs: ./dev up starts the platform."
		return 1
	fi
	printf '%s%-16s %-12s %9s %11s  %-6s %s%s\n' "$bold" PROCESS STATE UPTIME 'PSS MiB' ENDED PORTS "$plain"
	for kind in service outside store; do
		sum=0
		mapfile -t names < <(process_names_of "$kind")
		((${#names[@]})) || continue
		for name in "${names[@]}"; do
			pid=$(process_pid "$name")
			pss=0 uptime=- ends=-
			if [[ -n $pid ]]; then
				pss=$(pss_kib "$pid")
				pss=${pss:-0}
				uptime=$(duration "$(ps -o etimes= -p "$pid" | tr -d ' ')")
			fi
			[[ ! -e $state/run/$name/exits ]] || ends="$(wc -l <"$state/run/$name/exits")×"
			what=$(process_state "$name" "$pid")
			color=$green
			if [[ $what != SERVING && $what != running ]]; then
				color=$red all_well=1
			fi
			printf '%-16s %s%-12s%s %9s %11s  %-6s %s\n' "$name" "$color" "$what" "$plain" "$uptime" \
				"$([[ -n $pid ]] && mib "$pss" || echo -)" "$ends" "$(<"$state/run/$name/ports")"
			[[ $what != NOT_SERVING ]] || note "$(process_complaint "$name")"
			sum=$((sum + pss))
		done
		case $kind in
		service) what="gateway and services" ;;
		outside) what="outside world" ;;
		store) what="stores" ;;
		esac
		printf '%s%-39s %11s%s\n\n' "$dim" "  $what together" "$(mib "$sum")" "$plain"
	done
	return "$all_well"
}

# logs [NAME...]: follows them, each line with its process's name when there are several.
logs() {
	local name
	local -a files=()
	for name in "$@"; do
		[[ -e $state/logs/$name.log ]] || fail "There is no log of '$name'. There are: $(cd "$state/logs" 2>/dev/null && echo *.log)"
		files+=("$state/logs/$name.log")
	done
	if ((${#files[@]} == 1)); then
		exec tail -n 50 -F "${files[0]}"
	fi
	if ((${#files[@]} == 0)); then
		[[ -d $state/logs ]] || fail "There are no logs yet: ./dev up starts the platform."
		files=("$state"/logs/*.log)
	fi
	tail -n 5 -F "${files[@]}" 2>/dev/null |
		awk '/^==> .* <==$/ { n = split($2, part, "/"); sub(/\.log$/, "", part[n]); name = part[n]; next }
			NF { printf "%-14s %s\n", name, $0; fflush() }'
}
