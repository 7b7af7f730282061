# Two instances of the platform can run side by side on one machine, each with its own folder, ports and secrets: `up`, for people, and
# `test`, for ./dev test. The instance is SOUK_INSTANCE, its folder .souk/<instance>:
#
#   secrets/    passwords and keys, made here at first start      tls/<service>/   certificates, named as in a Kubernetes secret
#   run/<name>/ one process (process.sh)                          logs/<name>.log
#   <store>/    data                                              environment      what a test or a person needs to reach it
# shellcheck shell=bash disable=SC2034,SC2154

instance=${SOUK_INSTANCE:-up}
state=$root/.souk/$instance

# What is different for tests: replicas, the payment proxy in between, nothing kept from before.
instance_is_test() {
	[[ $instance == test* ]]
}

# Above are the ports that Linux gives to outgoing connections: any of them may be taken at the moment of a restart.
port_max=32767

# ports_check: the gateway's and the highest of the others.
ports_check() {
	local name
	[[ $port_offset =~ ^(0|[1-9][0-9]{0,4})$ ]] || fail "SOUK_PORT_OFFSET is '$port_offset'; it may be a number from 0 to 24687."
	[[ ${SOUK_GATEWAY_PORT:-1} =~ ^[1-9][0-9]{0,4}$ ]] || fail "SOUK_GATEWAY_PORT is '$SOUK_GATEWAY_PORT'; it may be a number from 1 to $port_max."
	for name in gateway inbox; do
		(($(port $name) <= port_max)) || fail "The port of $name would be $(port $name). Ports above $port_max may be taken by any" \
			"outgoing connection: choose a smaller SOUK_PORT_OFFSET (up to 24687) or SOUK_GATEWAY_PORT."
	done
}

instance_choose() {
	[[ $instance =~ ^[a-z0-9-]+$ ]] || fail "SOUK_INSTANCE is '$instance'; it may hold a-z, 0-9 and '-'."
	if [[ -n ${SOUK_SANITIZE:-} ]]; then
		port_offset=${SOUK_PORT_OFFSET:-12000}
		build=${SOUK_BUILD:-build-${SOUK_SANITIZE//,/-}}
	elif instance_is_test; then
		port_offset=${SOUK_PORT_OFFSET:-10000}
		build=${SOUK_BUILD:-build-test}
	else
		port_offset=${SOUK_PORT_OFFSET:-0}
		build=${SOUK_BUILD:-build}
	fi
	[[ $build == /* ]] || build=$root/$build
	ports_check
	state=$root/.souk/$instance
	gateway_url=http://127.0.0.1:$(port gateway)
}

# One ./dev at a time changes an instance.
instance_lock() {
	(umask 077 && mkdir -p "$state")
	exec {lock}>"$state/lock"
	flock --nonblock "$lock" || fail "Another ./dev is working on the instance '$instance' right now."
}

# The services' numbers (integration-tests/dev/services.tsv) give their ports: gRPC 7000 + number, HTTP 7100 + number; replicas 50 above.
declare -A service_number=() service_replicas=()
services=()
while IFS=$'\t' read -r number name replicas; do
	[[ $number == \#* ]] && continue
	services+=("$name")
	service_number[$name]=$number
	service_replicas[$name]=$replicas
done <integration-tests/dev/services.tsv

# port NAME: of a store or of what stands for the outside world.
port() {
	local port
	case $1 in
	gateway) port=${SOUK_GATEWAY_PORT:-$((8080 + port_offset))} && echo "$port" && return ;;
	gateway-admin) port=7100 ;;
	redis) port=7201 ;;
	nats) port=7202 ;;
	nats-monitor) port=7203 ;;
	mongodb) port=7204 ;;
	localstripe) port=7210 ;;
	payment-proxy) port=7211 ;;
	carrier) port=7212 ;;
	smtp) port=7213 ;;
	inbox) port=7214 ;;
	*) fail "No port is written down for '$1' (integration-tests/dev/instance.sh)." ;;
	esac
	echo $((port + port_offset))
}

# grpc_port SERVICE [REPLICA] and http_port SERVICE [REPLICA]; the first replica is 1.
grpc_port() {
	echo $((7000 + service_number[$1] + 50 * (${2:-1} - 1) + port_offset))
}

http_port() {
	echo $((7100 + service_number[$1] + 50 * (${2:-1} - 1) + port_offset))
}

# replicas SERVICE: how many run. Two behind one name in tests, so that no lock in a process can pass for the store's.
replicas() {
	if instance_is_test; then
		echo "${service_replicas[$1]}"
	else
		echo 1
	fi
}

# secret NAME: made at the first asking, readable by this user only.
secret() {
	local file=$state/secrets/$1
	if [[ ! -s $file ]]; then
		(umask 077 && mkdir -p "$state/secrets" && openssl rand -hex 24 >"$file.new" && mv "$file.new" "$file")
	fi
	cat "$file"
}

instance_choose
