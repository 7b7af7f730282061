# ./dev test, check and bench.
#
# Meson's suites: `unit` needs nothing but the build, `store` needs the stores of the instance `test`, `stories` and `crashes` its whole platform.
# `crashes` kills a process at each of its crash points, a quarter of an hour in all. Tests of gen/runtime are in the suite `runtime` too,
# for the thread sanitizer. Programs named fuzz_* are libFuzzer harnesses.
# shellcheck shell=bash disable=SC2034,SC2154

suites_all=(unit store stories crashes)

# An option that only some builds of the tree have.
meson_option() {
	if grep -qs "option('${1%%=*}'" meson_options.txt meson.options; then
		echo "-D$1"
	fi
}

tests_wanted() {
	[[ " ${suites[*]} " == *" $1 "* ]]
}

# tests_meson LOGBASE MESON_ARGUMENT...: in the environment that .souk/test/environment says. Failures are counted from the log.
tests_meson() {
	local base=$1
	shift
	local -a in=()
	[[ ! -e $state/environment ]] || in=(in_environment)
	"${in[@]}" meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$base" "$@" || tests_status=1
}

# tests_finish STATUS: whatever happened, nothing is left running and the last line says how it went.
tests_finish() {
	local -a logs=() arguments=()
	trap - EXIT INT TERM
	if [[ -n ${SOUK_KEEP:-} ]]; then
		note "The instance '$instance' is left running (SOUK_KEEP): SOUK_INSTANCE=$instance ./dev status, ./dev down"
	else
		process_end_all
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
		[[ " ${suites_all[*]} " == *" $suite "* ]] || fail "There is no suite '$suite'. There are: ${suites_all[*]}"
	done
	export SOUK_INSTANCE=${SOUK_TEST_INSTANCE:-test}
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
	# shellcheck disable=SC2046
	build_need "$build" all --buildtype=debugoptimized $(meson_option crash_points=true)
	if tests_wanted store || tests_wanted stories || tests_wanted crashes; then
		certs_need
		platform_define
		stores_start
	fi
	for suite in unit store; do
		if tests_wanted "$suite"; then
			tests_meson "souk-$suite" --suite "$suite"
		fi
	done
	if tests_wanted stories || tests_wanted crashes; then
		outside_start
		services_start
	fi
	for suite in stories crashes; do
		if tests_wanted "$suite"; then
			tests_meson "souk-$suite" --suite "$suite"
		fi
	done
	exit 0
}

# check_one TEXT COMMAND...: goes on after a failure, and counts.
check_one() {
	local text=$1
	shift
	if (step "$text" "$text: see above." "$@"); then
		checks_passed=$((checks_passed + 1))
	else
		checks_failed=$((checks_failed + 1))
	fi
}

check_skip() {
	echo "  –   $1: skipped, $2"
	checks_skipped=$((checks_skipped + 1))
}

check_sanitized() {
	local folder=$1 sanitizer=$2
	shift 2
	# shellcheck disable=SC2046
	build_all "$folder" --buildtype=debugoptimized "-Db_sanitize=$sanitizer" -Db_lundef=false $(meson_option crash_points=true)
	# One process a test program: a sanitizer's report of a forked child would be lost in Check's own.
	CK_FORK=no ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		TSAN_OPTIONS=halt_on_error=1 meson test -C "$folder" --no-rebuild --print-errorlogs --timeout-multiplier 5 "$@"
}

check_fuzz_build() {
	# shellcheck disable=SC2046
	CC=clang build_configure build-fuzz --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
		$(meson_option fuzz=true)
	local -a targets
	mapfile -t targets < <(fuzz_targets)
	((${#targets[@]} == 0)) || ninja -C build-fuzz "${targets[@]}"
}

fuzz_targets() {
	meson introspect build-fuzz --targets |
		jq -r --arg root "$root/build-fuzz/" '.[] | select(.name | startswith("fuzz_")) | .filename[0] | ltrimstr($root)'
}

check_fuzz() {
	local target=$1 name corpus
	local -a known
	name=$(basename "$target")
	corpus=build-fuzz/corpus/$name
	mkdir -p "$corpus"
	mapfile -t known < <(git ls-files -- "*/corpus/$name/*" | xargs -r -n 1 dirname | sort -u)
	"build-fuzz/$target" -max_total_time="${SOUK_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$corpus/" \
		"$corpus" "${known[@]}"
}

check_format() {
	git ls-files -- '*.c' '*.h' | xargs -r clang-format-15 --dry-run --Werror
}

check_shell() {
	git ls-files -- '*.sh' dev .ci/run | xargs -r shellcheck
}

check_buf() {
	protos/third-party.sh .souk/third-party-protos
	buf lint
}

check_run() {
	local target line
	checks_passed=0 checks_failed=0 checks_skipped=0
	state=$root/.souk/check
	mkdir -p "$state"
	packages_need "${debian_packages[@]}" "${check_packages[@]}"
	check_one "Address, undefined: unit tests" check_sanitized build-asan address,undefined --suite unit
	check_one "Thread: tests of gen/runtime" check_sanitized build-tsan thread --suite runtime
	check_one "Fuzzing: build" check_fuzz_build
	if [[ -e build-fuzz/build.ninja ]]; then
		for target in $(fuzz_targets); do
			check_one "Fuzzing: $(basename "$target")" check_fuzz "$target"
		done
	fi
	check_one "clang-format" check_format
	check_one "shellcheck" check_shell
	if command -v buf >/dev/null; then
		check_one "buf lint" check_buf
	else
		check_skip "buf lint" "buf is not on the PATH (go install github.com/bufbuild/buf/cmd/buf@latest)"
	fi
	echo
	line="$checks_passed passed, $checks_failed failed"
	((checks_skipped == 0)) || line+=", $checks_skipped skipped"
	echo "$line"
	((checks_failed == 0)) && { [[ -z ${CI:-} ]] || ((checks_skipped == 0)); }
}

bench_run() {
	local run=integration-tests/bench/run
	[[ -x $run ]] || fail "There is no bench yet ($run)."
	exec "$run" "$@"
}
