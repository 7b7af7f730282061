# ./dev test and bench.
#
# Meson's suites: `unit` needs nothing but the build, `store` needs the stores of the instance `test`, `stories` and `crashes` its whole platform.
# `crashes` kills a process at each of its crash points, a quarter of an hour in all. `openapi` tries what the OpenAPI document says; it runs when
# it is named, and in ./dev check.
# shellcheck shell=bash disable=SC2034,SC2154

suites_all=(unit store stories crashes) # what runs when none is named
suites_known=("${suites_all[@]}" openapi)

# tests_wanted SUITE...: one of them is.
tests_wanted() {
	local suite
	for suite in "$@"; do
		[[ " ${suites[*]} " != *" $suite "* ]] || return 0
	done
	return 1
}

# tests_meson LOGBASE MESON_ARGUMENT...: in the environment that .souk/test/environment says. Failures are counted from the log.
tests_meson() {
	local base=$1
	shift
	local -a in=()
	[[ ! -e $state/environment ]] || in=(in_environment)
	"${in[@]}" env "${sanitize_env[@]}" meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$base" "$@" || tests_status=1
}

# tests_finish STATUS: whatever happened, nothing is left running and the last line says how it went.
tests_finish() {
	local finding
	local -a logs=() arguments=()
	trap - EXIT INT TERM
	if [[ -n ${SOUK_KEEP:-} ]]; then
		note "The instance '$instance' is left running (SOUK_KEEP): SOUK_INSTANCE=$instance ./dev status, ./dev down"
	else
		process_end_all
		if [[ -n ${SOUK_SANITIZE:-} ]]; then
			sanitize_findings 3>"$state/findings"
			while IFS= read -r finding; do
				arguments+=(--finding "$finding")
			done <"$state/findings"
		fi
	fi
	mapfile -t logs < <(find "$build/meson-logs" -name 'souk-*.json' 2>/dev/null)
	(($1 == 0)) || arguments+=(--broken './dev test itself')
	((tests_status == 0)) || arguments+=(--broken 'meson test')
	[[ -z ${CI:-} ]] || arguments+=(--skips-fail)
	echo
	if "$python" integration-tests/dev/count.py "${arguments[@]}" "${logs[@]}"; then
		exit 0
	fi
	exit 1
}

tests_run() {
	local suite
	suites=("${@:-${suites_all[@]}}")
	for suite in "${suites[@]}"; do
		[[ " ${suites_known[*]} " == *" $suite "* ]] || fail "There is no suite '$suite'. There are: ${suites_known[*]}"
	done
	export SOUK_INSTANCE=${SOUK_TEST_INSTANCE:-test${SOUK_SANITIZE:+-sanitize}}
	instance=$SOUK_INSTANCE
	instance_choose
	instance_is_test || fail "SOUK_TEST_INSTANCE must begin with 'test'."
	instance_lock
	process_end_all
	find "$state" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
	rm -f "$build"/meson-logs/souk-*.json

	tests_status=0
	trap 'tests_finish $?' EXIT
	trap 'exit 130' INT TERM
	packages_need "${debian_packages[@]}"
	sanitize_options
	build_need "$build" all "${build_options[@]}"
	if tests_wanted openapi; then
		python_tools_need openapi
		SOUK_TEST_SCHEMATHESIS=$(python_tools openapi)/bin/schemathesis
		export SOUK_TEST_SCHEMATHESIS
	fi
	if tests_wanted store stories crashes openapi; then
		certs_need
		platform_define
		stores_start
	fi
	for suite in unit store; do
		if tests_wanted "$suite"; then
			tests_meson "souk-$suite" --suite "$suite" --timeout-multiplier 5 # meson's half a minute is short on a busy machine
		fi
	done
	if tests_wanted stories crashes openapi; then
		outside_start
		services_start
	fi
	for suite in stories crashes openapi; do
		if tests_wanted "$suite"; then
			tests_meson "souk-$suite" --suite "$suite" ${SOUK_SANITIZE:+--timeout-multiplier 3}
		fi
	done
	exit 0
}

bench_run() {
	if [[ ${1:-} == peers ]]; then
		shift
		exec integration-tests/bench/peers/run "$@"
	fi
	exec integration-tests/bench/run "$@"
}
