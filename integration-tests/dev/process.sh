# Processes of an instance, each under runit's supervision: whatever dies, by a bug or by kill -9, is started again a second later.
#
# .souk/<instance>/run/<name>/ is a runit service directory. Beside runit's own files it holds
#   kind     service, outside or store: the order of stopping, and the sums of ./dev status
#   ports    that it listens on
#   ready    how to see that it answers: a URL, or tcp:PORT
#   once/    variables for the next start only, such as a crash point; the run script takes them away
#   started  fingerprint of what was started, so that `up` restarts only what changed
#   exits    one line for each time it ended: time, exit code, signal
# shellcheck shell=bash disable=SC2034,SC2154

defined=()

# process_define KIND NAME PORTS READY COMMAND...: writes the service directory. Variables come from the array process_env.
process_env=()
process_define() {
	local kind=$1 name=$2 ports=$3 ready=$4 dir=$state/run/$2
	local -a sanitize
	mapfile -t sanitize < <(sanitize_process_env "$name")
	process_env+=("${sanitize[@]}")
	shift 4
	(
		umask 077
		mkdir -p "$dir/once" "$state/logs"
		echo "$kind" >"$dir/kind"
		echo "$ports" >"$dir/ports"
		echo "$ready" >"$dir/ready"
		{
			echo '#!/bin/bash'
			printf 'cd %q && exec >>%q 2>&1 </dev/null\n' "$root" "$state/logs/$name.log"
			# shellcheck disable=SC2016
			printf 'for file in %q/once/*; do [[ -e $file ]] || continue; export "${file##*/}=$(<"$file")"; rm "$file"; done\n' "$dir"
			((${#process_env[@]} == 0)) || printf 'export %q\n' "${process_env[@]}"
			printf 'exec'
			printf ' %q' "$@"
			echo
		} >"$dir/run.new"
		{
			echo '#!/bin/bash'
			# shellcheck disable=SC2016
			printf 'cd %q && { tail -n 99 exits 2>/dev/null; echo "$EPOCHSECONDS $1 $2"; } >exits.new && mv exits.new exits\n' "$dir"
		} >"$dir/finish"
		chmod 700 "$dir/run.new" "$dir/finish"
		mv "$dir/run.new" "$dir/run"
	)
	program=$1
	[[ $program == /* || $program == */* ]] || program=$(command -v "$program" || echo "$program")
	echo "$program" >"$dir/program"
	defined+=("$name")
	process_env=()
}

process_names() {
	local dir
	for dir in "$state"/run/*/; do
		[[ -e $dir/run ]] && basename "$dir"
	done
	return 0
}

process_names_of() {
	local name
	for name in $(process_names); do
		[[ $(<"$state/run/$name/kind") == "$1" ]] && echo "$name"
	done
	return 0
}

process_supervised() {
	[[ -p $state/run/$1/supervise/ok ]] && sv status "$state/run/$1" >/dev/null 2>&1
}

# The pid, or nothing when it does not run.
process_pid() {
	local pid=
	[[ -s $state/run/$1/supervise/pid ]] && pid=$(<"$state/run/$1/supervise/pid")
	[[ -n $pid && -d /proc/$pid ]] && process_supervised "$1" && echo "$pid"
	return 0
}

process_fingerprint() {
	local dir=$state/run/$1
	{
		cat "$dir/run"
		stat -L -c '%i %s %Y' "$(<"$dir/program")"
		# what it is linked with: a change of libcrpc leaves the program's own file as it was
		ldd "$(<"$dir/program")" | grep -o '/[^ ]*' | xargs -r stat -L -c '%i %s %Y' || true
		[[ ! -e $dir/config ]] || sha256sum <"$(<"$dir/config")"
	} 2>/dev/null | sha256sum | cut -c 1-16
}

process_ports_check() {
	local name=$1 port owner
	for port in $(<"$state/run/$name/ports"); do
		owner=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p' | head -n 1)
		if [[ -n $owner || -n $(ss -Hltn "sport = :$port") ]]; then
			fail "Port $port, which $name needs, is taken by ${owner:-another process}. Stop that, or move this instance with" \
				"SOUK_PORT_OFFSET$([[ $name != gateway ]] || echo ' or SOUK_GATEWAY_PORT')."
		fi
	done
}

# A log that grew over 16 MiB is set aside when its process starts anew; one old one is kept.
process_log_rotate() {
	local log=$state/logs/$1.log
	if [[ -e $log ]] && (($(stat -c %s "$log") > 16777216)); then
		mv "$log" "$log.1"
	fi
}

# Whether it runs as it is now defined.
process_current() {
	[[ -n $(process_pid "$1") && -e $state/run/$1/started && $(<"$state/run/$1/started") == $(process_fingerprint "$1") ]]
}

# process_start NAME...: what runs as it is now defined is left alone.
process_start() {
	local name dir
	local -a names=()
	for name in "$@"; do
		process_current "$name" || names+=("$name")
	done
	process_stop "${names[@]}"
	for name in "${names[@]}"; do
		dir=$state/run/$name
		process_ports_check "$name"
		process_log_rotate "$name"
		rm -f "$dir/exits"
		process_fingerprint "$name" >"$dir/started"
		if process_supervised "$name"; then
			sv up "$dir" >/dev/null
		else
			(
				[[ -z ${lock:-} ]] || exec {lock}>&-
				# What the shell of the moment has in its environment must not reach a process that outlives it.
				exec env -i PATH="$PATH" HOME="$HOME" LANG=C.UTF-8 setsid runsv "$dir" </dev/null >/dev/null 2>>"$state/logs/runsv.log"
			) &
		fi
	done
}

# A sanitizer looks for leaks at the end.
stop_seconds=$([[ -z ${SOUK_SANITIZE:-} ]] && echo 15 || echo 120)

# process_stop NAME...: SIGTERM, and SIGKILL to what has not gone after stop_seconds. They stay down until they are started.
process_stop() {
	local name
	local -a dirs=()
	for name in "$@"; do
		process_supervised "$name" && dirs+=("$state/run/$name")
	done
	((${#dirs[@]} == 0)) || sv -w "$stop_seconds" force-stop "${dirs[@]}" >/dev/null || true
}

# process_end NAME...: stops them and their supervisors.
process_end() {
	local name
	local -a dirs=()
	for name in "$@"; do
		process_supervised "$name" && dirs+=("$state/run/$name")
	done
	((${#dirs[@]} == 0)) || sv -w "$stop_seconds" force-shutdown "${dirs[@]}" >/dev/null || true
}

process_end_all() {
	local kind
	for kind in service outside store; do
		# shellcheck disable=SC2046
		process_end $(process_names_of "$kind")
	done
}

# What an earlier `up` ran and this one does not know.
process_end_undefined() {
	local name
	for name in $(process_names); do
		if [[ " ${defined[*]} " != *" $name "* ]]; then
			process_end "$name"
			rm -rf "${state:?}/run/$name"
		fi
	done
}

process_answers() {
	local ready
	ready=$(<"$state/run/$1/ready")
	case $ready in
	tcp:*) (exec 3<>"/dev/tcp/127.0.0.1/${ready#tcp:}") 2>/dev/null ;;
	*) curl --silent --fail --max-time 2 --output /dev/null "$ready" ;;
	esac
}

# What a service that does not serve says about it.
process_complaint() {
	local name=$1 ready why=
	ready=$(<"$state/run/$name/ready")
	if [[ $ready == http* ]]; then
		why=$(curl --silent --max-time 2 "$ready" | head -c 300 | tr '\n' ' ' || true) # who is down answers nothing
	fi
	if [[ -n $why ]]; then
		echo "$name is not ready: $why"
	else
		echo "$name does not answer. The end of $state/logs/$name.log:"
		tail -n 8 "$state/logs/$name.log" 2>/dev/null | cut -c 1-300 | sed 's/^/      /'
	fi
}

# process_wait SECONDS NAME...: until all answer. One that ended three times, or does not answer in time, is named with what it said.
process_wait() {
	local deadline=$((SECONDS + $1)) name
	local -a waiting still
	shift
	waiting=("$@")
	while ((${#waiting[@]})); do
		still=()
		for name in "${waiting[@]}"; do
			process_answers "$name" && continue
			if ((SECONDS >= deadline)) || { [[ -e $state/run/$name/exits ]] && (($(wc -l <"$state/run/$name/exits") >= 3)); }; then
				process_complaint "$name"
				return 1
			fi
			still+=("$name")
		done
		waiting=("${still[@]}")
		((${#waiting[@]} == 0)) || sleep 0.1
	done
}

# process_command start|stop|restart|kill NAME... [VAR=VALUE...]
process_command() {
	local what=$1 argument name pid
	local -a names=() variables=()
	shift
	for argument in "$@"; do
		if [[ $argument == *=* ]]; then
			variables+=("$argument")
		elif [[ -e $state/run/$argument/run ]]; then
			names+=("$argument")
		else
			fail "No process is named '$argument'. There are: $(process_names | tr '\n' ' ')"
		fi
	done
	((${#names[@]})) || fail "Usage: ./dev $what NAME... [VAR=VALUE...]"

	for name in "${names[@]}"; do
		for argument in "${variables[@]}"; do
			echo "${argument#*=}" >"$state/run/$name/once/${argument%%=*}"
		done
	done
	case $what in
	stop) process_stop "${names[@]}" ;;
	restart) process_stop "${names[@]}" && process_start "${names[@]}" && process_wait 60 "${names[@]}" ;;
	start) process_start "${names[@]}" && process_wait 60 "${names[@]}" ;;
	kill)
		for name in "${names[@]}"; do
			pid=$(process_pid "$name")
			[[ -n $pid ]] || fail "$name does not run."
			kill -KILL "$pid"
		done
		;;
	esac
}
