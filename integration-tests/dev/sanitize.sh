# Sanitizers: SOUK_SANITIZE=address,undefined ./dev test builds tests and platform with these, in a build folder and an instance of their own.
# What a process has to report, leaks at its end too, fails the run.
# shellcheck shell=bash disable=SC2034,SC2154

# The options of a test's build, without a sanitizer as well, and what its programs find in their environment.
sanitize_options() {
	build_options=(--buildtype=debugoptimized -Dcrash_points=true)
	sanitize_env=()
	[[ -n ${SOUK_SANITIZE:-} ]] || return 0
	build_options+=("-Db_sanitize=$SOUK_SANITIZE" -Db_lundef=false)
	sanitize_env=("ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1" "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
		"TSAN_OPTIONS=halt_on_error=1")
}

# For a process of the platform: its report goes to a file, which its log would bury.
sanitize_process_env() {
	local variable
	sanitize_options
	for variable in "${sanitize_env[@]}"; do
		echo "$variable:log_path=$state/logs/sanitizer.$1"
	done
}

# Prints what was reported, and a line for each thing that was found on fd 3. A service must have ended by itself and well: who is killed does not
# say what it leaked.
sanitize_findings() {
	local report name last
	for report in "$state"/logs/sanitizer.*; do
		[[ -e $report ]] || continue
		head -n 60 "$report"
		echo "${report##*/}" >&3
	done
	for name in $(process_names_of service); do
		last=$(tail -n 1 "$state/run/$name/exits" 2>/dev/null || true)
		[[ $last == *' 0 0' ]] || echo "the end of $name (exits: ${last:-none})" >&3
	done
}
