# ./dev check: what takes too long for each change, or looks at text only. Each check goes on after the failure of another, and counts.
# shellcheck shell=bash disable=SC2034,SC2154

# check_one TEXT COMMAND...: in a shell that ends at the command's first failure, which none inside a condition would.
check_one() {
	local text=$1 status=0
	shift
	set +e
	(set -e && step "$text" "$text: see above." "$@")
	status=$?
	set -e
	if ((status == 0)); then
		checks_passed=$((checks_passed + 1))
	else
		checks_failed=$((checks_failed + 1))
	fi
}

check_skip() {
	echo "  –   $1: skipped, $2"
	checks_skipped=$((checks_skipped + 1))
}

# All but the crash points, in an instance of its own: tests, services and gateway alike, to their ends.
check_address() {
	SOUK_SANITIZE=address,undefined ./dev test unit store stories
}

# Only what these tests need is built. The gateway's own that need stores are left to `./dev test`.
check_thread() {
	local SOUK_SANITIZE=thread
	sanitize_options
	build_configure build-thread "${build_options[@]}"
	env "${sanitize_env[@]}" meson test -C build-thread --print-errorlogs --timeout-multiplier 5 \
		--suite runtime --suite gateway --no-suite store
}

check_fuzz_build() {
	local -a targets
	CC=clang build_configure build-fuzz --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
	mapfile -t targets < <(fuzz_targets)
	ninja -C build-fuzz "${targets[@]}"
}

# Programs named fuzz_* are libFuzzer harnesses.
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

# What the generator's tests expect is compared with what it writes, not with a style.
check_format() {
	git ls-files -- '*.c' '*.h' ':!gen/plugin/tests/*/expected/*' | xargs -r clang-format-15 --dry-run --Werror
}

check_shell() {
	git ls-files -- '*.sh' dev .ci/run | xargs -r shellcheck
}

buf_version=1.75.0

# The one on the PATH, else npm's; empty if there is neither.
buf_choose() {
	local folder=$cache/buf-$buf_version
	buf=$(command -v buf || true)
	[[ -z $buf ]] || return 0
	buf=$folder/node_modules/@bufbuild/buf-linux-x64/bin/buf
	if [[ ! -x $buf ]] && command -v npm >/dev/null; then
		step "buf $buf_version" "npm could not install @bufbuild/buf-linux-x64 $buf_version." \
			npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts --loglevel=error \
			"@bufbuild/buf-linux-x64@$buf_version"
	fi
	[[ -x $buf ]] || buf=
}

check_buf_lint() {
	protos/third-party.sh .souk/third-party-protos
	"$buf" lint
}

# What clients hold must go on working: against the last release, or before there is one, against what was pushed.
check_buf_breaking() {
	local before=$state/protos-before base
	base=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null ||
		git rev-parse --verify --quiet origin/main || git rev-parse --verify main)
	rm -rf "$before"
	mkdir -p "$before/.souk"
	git archive "$base" protos buf.yaml | tar -x -C "$before"
	protos/third-party.sh .souk/third-party-protos
	cp -r .souk/third-party-protos "$before/.souk/"
	"$buf" breaking --against "$before"
}

check_openapi_document() {
	build_target "$build" protos/souk_openapi.json --buildtype=debugoptimized
	"$(python_tools openapi)/bin/openapi-spec-validator" "$build/protos/souk_openapi.json"
}

check_openapi() {
	./dev test openapi
}

check_run() {
	local target line buf
	(($# == 0)) || fail "Usage: ./dev check"
	checks_passed=0 checks_failed=0 checks_skipped=0
	state=$root/.souk/check
	packages_need "${debian_packages[@]}" "${check_packages[@]}"
	check_one "clang-format" check_format
	check_one "shellcheck" check_shell
	buf_choose
	if [[ -n $buf ]]; then
		check_one "buf lint" check_buf_lint
		check_one "buf breaking" check_buf_breaking
	else
		check_skip "buf lint, buf breaking" "neither buf nor npm is on the PATH"
	fi
	python_tools_need openapi
	check_one "OpenAPI: the document" check_openapi_document
	check_one "OpenAPI: the platform against it" check_openapi
	check_one "Threads: tests of gen/runtime and the gateway" check_thread
	check_one "Address, undefined: unit, store, stories" check_address
	check_one "Fuzzing: build" check_fuzz_build
	if [[ -e build-fuzz/build.ninja ]]; then
		for target in $(fuzz_targets); do
			check_one "Fuzzing: $(basename "$target")" check_fuzz "$target"
		done
	fi
	echo
	line="$checks_passed passed, $checks_failed failed"
	((checks_skipped == 0)) || line+=", $checks_skipped skipped"
	echo "$line"
	((checks_failed == 0)) && { [[ -z ${CI:-} ]] || ((checks_skipped == 0)); }
}
