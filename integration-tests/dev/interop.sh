# ./dev interop: the official gRPC interop suite, our server against grpc-go's client and our client against grpc-go's server.
# `./dev interop --serve PORT` only serves, in plain text, for other clients. SOUK_SANITIZE=thread (or address,undefined, or valgrind: the server alone) runs
# our programs under that; what they report fails the case, or the last one, in which the server is stopped while calls go on.
# shellcheck shell=bash disable=SC2034,SC2154

interop_cases=(
	empty_unary large_unary client_streaming server_streaming ping_pong empty_stream cancel_after_begin cancel_after_first_response
	timeout_on_sleeping_server custom_metadata status_code_and_message special_status_message unimplemented_method
	unimplemented_service rpc_soak channel_soak
)
interop_compressed=(client_compressed_unary server_compressed_unary client_compressed_streaming server_compressed_streaming)
interop_port=${SOUK_INTEROP_PORT:-32100} # of our server; grpc-go's is the next

interop_go() {
	local go
	for go in go /usr/local/go/bin/go; do
		if command -v "$go"; then
			return
		fi
	done
	return 1
}

# Whether Go 1.N or a later one is at hand: Debian 12's is old.
interop_go_is() {
	[[ $(GOTOOLCHAIN=local "$1" env GOVERSION) =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= $2))
}

interop_version() {
	if interop_go_is "$1" 25; then
		echo v1.85.0
	else
		echo v1.62.2
	fi
}

interop_go_make() {
	local go=$1 version=$2 folder=$3 program
	rm -rf "$folder.new"
	mkdir -p "$folder.new"
	for program in client server; do
		GOBIN=$folder.new GOFLAGS=-mod=mod GOTOOLCHAIN=local "$go" install "google.golang.org/grpc/interop/$program@$version"
	done
	mv "$folder.new" "$folder"
}

# interop_serve NAME PORT COMMAND...: in the background, once it listens.
interop_serve() {
	local name=$1 port=$2 tries
	shift 2
	"$@" >"$state/$name.log" 2>&1 &
	interop_pids+=($!)
	for ((tries = 0; tries < 600; tries++)); do
		kill -0 $! 2>/dev/null || break
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			return
		fi
		sleep 0.1
	done
	fail "$name does not serve on port $port; see $state/$name.log. SOUK_INTEROP_PORT chooses another."
}

interop_xds_make() {
	(cd gen/interop/xds && GOTOOLCHAIN=local "$1" build -o "$2" .)
}

# Our client finds both servers by a control plane: xds:///interop.
interop_xds() {
	local go=$1 port=$((interop_port + 2)) plane
	plane=$cache/xds-plane-$(cat gen/interop/xds/go.sum gen/interop/xds/main.go | sha256sum | cut -c 1-12)
	if ! interop_go_is "$go" 26; then
		note "xds is left out: its control plane needs Go 1.26"
		return
	fi
	[[ -x $plane ]] || step "A control plane for xds" "go build in gen/interop/xds failed." interop_xds_make "$go" "$plane"
	interop_serve xds "$port" "$plane" "--port=$port" "--backends=127.0.0.1:$interop_port,127.0.0.1:$((interop_port + 1))"
	jq -n --arg at "127.0.0.1:$port" \
		'{xds_servers: [{server_uri: $at, channel_creds: [{type: "insecure"}], server_features: ["xds_v3"]}], node: {id: "interop"}}' \
		>"$state/xds.json"
	export GRPC_XDS_BOOTSTRAP=$state/xds.json
	for name in large_unary ping_pong rpc_soak; do
		interop_case "ours → xds" "$name" "${under[@]}" "$ours-client" --target=xds:///interop
	done
}

interop_end() {
	((${#interop_pids[@]} == 0)) || kill "${interop_pids[@]}" 2>/dev/null || true
}

interop_result() {
	local status=$1 text=$2 name=$3 started=$4 log=$5
	if ((status == 0)); then
		interop_passed=$((interop_passed + 1))
		printf '  %s✓%s   %-12s %-30s %s%5s s%s\n' "$green" "$plain" "$text" "$name" "$dim" "$(seconds_since "$started")" "$plain"
	else
		interop_failed=$((interop_failed + 1))
		printf '  %s✗%s   %-12s %-30s %s\n' "$red" "$plain" "$text" "$name" "$(tail -n 1 "$log" | cut -c 1-300)"
	fi
}

# interop_stop PID COMMAND...: SIGTERM while the command calls; the server drains and ends well.
interop_stop() {
	local pid=$1 started=$EPOCHREALTIME status=0 load
	shift
	"$@" --test_case=rpc_soak --soak_iterations=1000000 --soak_max_failures=1000000 >"$state/load.log" 2>&1 &
	load=$!
	sleep 1
	kill -TERM "$pid"
	wait "$pid" || status=$?
	kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	interop_result "$status" "ours" "drain and stop under load" "$started" "$state/server.log"
}

# interop_case TEXT CASE COMMAND...
interop_case() {
	local text=$1 name=$2 started=$EPOCHREALTIME log=$state/$1-$2.log status=0
	shift 2
	timeout 90 "$@" "--test_case=$name" "--soak_iterations=$soak" --soak_overall_timeout_seconds=60 \
		--soak_per_iteration_max_acceptable_latency_ms=5000 >"$log" 2>&1 || status=$?
	interop_result "$status" "$text" "$name" "$started" "$log"
}

# What our programs are run under, and how they are built for it.
interop_choose() {
	under=() server_under=() folder=build-interop soak=200
	[[ ${SOUK_SANITIZE:-} != valgrind ]] || packages_need valgrind
	case ${SOUK_SANITIZE:-} in
	valgrind) SOUK_SANITIZE='' sanitize_options ;;
	*) sanitize_options ;;
	esac
	build_options+=(-Dshop=false)
	case ${SOUK_SANITIZE:-} in
	'') ;;
	valgrind)
		soak=20
		# The server alone: a client begins anew for each case, which takes valgrind longer than the deadlines are.
		server_under=(valgrind --quiet --fair-sched=yes --error-exitcode=9 --leak-check=full --show-leak-kinds=definite
			--errors-for-leak-kinds=definite)
		;;
	*)
		folder+=-${SOUK_SANITIZE//,/-}
		# The C core is not built for the thread sanitizer: core.h says where it orders what we do.
		under=(env "${sanitize_env[@]}")
		[[ $SOUK_SANITIZE != thread ]] || under+=(TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1)
		server_under=("${under[@]}")
		;;
	esac
	folder=${SOUK_INTEROP_BUILD:-$folder}
	ours=$folder/gen/interop/interop
}

interop_run() {
	local go version programs name folder ours server_pid soak
	local -a under server_under
	[[ -z ${1:-} || ($1 == --serve && ${2:-} =~ ^[0-9]+$) ]] || fail "Usage: ./dev interop [--serve PORT]"
	state=$root/.souk/interop
	mkdir -p "$state"
	packages_need "${debian_packages[@]}"
	interop_choose
	build_need "$folder" interop "${build_options[@]}"
	if [[ ${1:-} == --serve ]]; then
		exec "$ours-server" "--port=$2"
	fi
	interop_go >/dev/null || packages_need golang-go
	go=$(interop_go)
	version=$(interop_version "$go")
	programs=$cache/grpc-go-interop-$version
	[[ -d $programs ]] || step "grpc-go's interop programs $version" "go install google.golang.org/grpc/interop/... failed." \
		interop_go_make "$go" "$version" "$programs"

	interop_pids=() interop_passed=0 interop_failed=0
	trap interop_end EXIT
	interop_serve server "$interop_port" "${server_under[@]}" "$ours-server" "--port=$interop_port"
	server_pid=$!
	interop_serve go-server $((interop_port + 1)) "$programs/server" "--port=$((interop_port + 1))"
	for name in "${interop_cases[@]}"; do
		interop_case "go → ours" "$name" "$programs/client" --server_host=127.0.0.1 "--server_port=$interop_port"
	done
	for name in "${interop_cases[@]}"; do
		interop_case "ours → go" "$name" "${under[@]}" "$ours-client" --server_host=127.0.0.1 "--server_port=$((interop_port + 1))"
	done
	for name in "${interop_compressed[@]}"; do # grpc-go has none of these
		interop_case "ours → ours" "$name" "${under[@]}" "$ours-client" --server_host=127.0.0.1 "--server_port=$interop_port"
	done
	interop_xds "$go"
	interop_stop "$server_pid" "$programs/client" --server_host=127.0.0.1 "--server_port=$interop_port"
	echo
	echo "$interop_passed passed, $interop_failed failed"
	((interop_failed == 0))
}
