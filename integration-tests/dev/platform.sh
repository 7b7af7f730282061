# The platform itself: the services that are built and the gateway, with the environment that each asks for.
# shellcheck shell=bash disable=SC2034,SC2154

# The first administrator, who loads the catalogue.
admin_email=admin@souk.example

service_program() {
	if [[ $1 == gateway ]]; then
		echo "$build/gateway/souk-gateway"
	else
		echo "$build/services/souk-$1"
	fi
}

services_built() {
	local name
	for name in "${services[@]}"; do
		[[ ! -x $(service_program "$name") ]] || echo "$name"
	done
}

# What the platform has to offer to a process, one VAR=VALUE a line. Each gets only what its --help lists, since an unknown SOUK_
# variable stops a start.
service_offers() {
	local name=$1 replica=$2
	if [[ $name == gateway ]]; then
		echo "SOUK_HTTP_LISTEN=127.0.0.1:$(port gateway)"
		echo "SOUK_ADMIN_LISTEN=127.0.0.1:$(port gateway-admin)"
		echo "SOUK_RATE_LIMIT=1000000" # benches and races come from one address
		echo "SOUK_RATE_LIMIT_METHODS_OFF=true"
	else
		echo "SOUK_GRPC_LISTEN=127.0.0.1:$(grpc_port "$name" "$replica")"
		echo "SOUK_HTTP_LISTEN=127.0.0.1:$(http_port "$name" "$replica")"
		echo "SOUK_MONGODB_URI=$(mongodb_uri "$name")"
		echo "SOUK_NATS_URL=$(nats_url "$name")"
	fi
	echo "SOUK_REDIS_URL=$redis_url"
	echo "SOUK_DRAIN_TIMEOUT=5s"
	echo "SOUK_TLS_DIR=$state/tls/$name"
	echo "SOUK_SECRET_KEY=$(secret "key-$name")" # the same in all replicas: any must take what another signed
	echo "SOUK_ADMIN_EMAIL=$admin_email"
	echo "SOUK_ADMIN_PASSWORD=$(secret admin-password)"
	case $name in
	payments)
		echo "SOUK_STRIPE_URL=$payment_proxy_url"
		echo "SOUK_STRIPE_KEY=sk_test_$(secret stripe-key)"
		echo "SOUK_STRIPE_WEBHOOK_SECRET=$(secret stripe-webhook)"
		;;
	shipping)
		echo "SOUK_CARRIER_URL=$carrier_url"
		echo "SOUK_CARRIER_KEY=$(secret carrier-key)"
		echo "SOUK_CARRIER_WEBHOOK_SECRET=$(secret carrier-webhook)"
		;;
	notification)
		echo "SOUK_SMTP_URL=smtp://127.0.0.1:$(port smtp)"
		echo "SOUK_SHOP_URL=$gateway_url"
		;;
	esac
	if instance_is_test; then
		sed -n "s/^\($name\|\*\)[[:space:]]\+\(SOUK_[A-Z0-9_]*=.*\)/\2/p" integration-tests/dev/test-options.txt
	fi
	echo "$peers"
}

# Where each service is: the same for all, since only its certificate says what a caller may do.
peers_find() {
	local peer targets number
	for peer in "${services[@]}"; do
		targets=
		for ((number = 1; number <= $(replicas "$peer"); number++)); do
			targets+=${targets:+,}127.0.0.1:$(grpc_port "$peer" "$number")
		done
		echo "SOUK_PEER_${peer^^}=ipv4:$targets"
	done
}

# service_environment NAME REPLICA: what it is offered and knows, and what the caller's own environment says of the rest.
service_environment() {
	local name=$1 known line variable
	known=" $("$(service_program "$name")" --help 2>/dev/null | grep -o 'SOUK_[A-Z0-9_]*' | sort -u | tr '\n' ' ') "
	declare -A chosen=()
	for variable in $known; do
		[[ -z ${!variable+set} ]] || chosen[$variable]=${!variable}
	done
	while IFS= read -r line; do
		variable=${line%%=*}
		if [[ $variable == SOUK_PEER_* || $known == *" $variable "* || $known == "  " ]]; then
			chosen[$variable]=${line#*=}
		fi
	done < <(service_offers "$name" "$2")
	for variable in "${!chosen[@]}"; do
		echo "$variable=${chosen[$variable]}"
	done | sort
}

services_define() {
	local name replica process
	peers=$(peers_find)
	for name in $(services_built); do
		for ((replica = 1; replica <= $(replicas "$name"); replica++)); do
			process=$name$( ((replica == 1)) || echo "-$replica")
			mapfile -t process_env < <(service_environment "$name" "$replica")
			process_env+=(MONGOC_DISABLE_SHM=1) # its counters would outlive who is killed, and the next of that pid complains
			process_env+=(SASL_PATH=/nonexistent) # plug-ins for Kerberos, and a database library with them: half a MiB a process
			process_define service "$process" "$(grpc_port "$name" "$replica") $(http_port "$name" "$replica")" \
				"http://127.0.0.1:$(http_port "$name" "$replica")/readyz" "$(service_program "$name")"
		done
	done
	if [[ -x $(service_program gateway) ]]; then
		mapfile -t process_env < <(service_environment gateway 1)
		process_define service gateway "$(port gateway) $(port gateway-admin)" "$gateway_url/readyz" "$(service_program gateway)"
	fi
}

services_launch() {
	# shellcheck disable=SC2046
	process_start $(process_names_of service)
	# shellcheck disable=SC2046
	process_wait 60 $(process_names_of service)
}

# What a test, a bench or a person needs to reach this instance: lines for a shell to source.
environment_write() {
	local variable
	local -A reach=(
		[SOUK_INSTANCE]=$instance
		[SOUK_PORT_OFFSET]=$port_offset
		[SOUK_GATEWAY_URL]=$gateway_url
		[SOUK_ADMIN_EMAIL]=$admin_email
		[SOUK_ADMIN_PASSWORD]=$(secret admin-password)
		[SOUK_TEST_DEV]=$root/dev
		[SOUK_TEST_STATE]=$state
		[SOUK_TEST_PYTHON]=$(python_tools tools)/bin/python
		[SOUK_TEST_TLS_DIR]=$state/tls/dev
		[SOUK_TEST_MONGODB_URI]=$mongodb_admin_uri
		[SOUK_TEST_MONGODB_PREFIX]=$(database_of '')
		[SOUK_TEST_NATS_URL]=nats://admin:$(secret nats-admin)@127.0.0.1:$(port nats)
		[SOUK_TEST_REDIS_URL]=$redis_admin_url
		[SOUK_TEST_STRIPE_URL]=$stripe_url
		[SOUK_TEST_STRIPE_KEY]=sk_test_$(secret stripe-key)
		[SOUK_TEST_STRIPE_WEBHOOK_SECRET]=$(secret stripe-webhook)
		[SOUK_TEST_PAYMENT_PROXY_URL]=$payment_proxy_url
		[SOUK_TEST_CARRIER_URL]=$carrier_url
		[SOUK_TEST_CARRIER_KEY]=$(secret carrier-key)
		[SOUK_TEST_CARRIER_WEBHOOK_SECRET]=$(secret carrier-webhook)
		[SOUK_TEST_INBOX_URL]=$inbox_url
		[SOUK_TEST_SMTP_URL]=smtp://127.0.0.1:$(port smtp)
	)
	for variable in "${!reach[@]}"; do
		printf '%s=%q\n' "$variable" "${reach[$variable]}"
	done | sort >"$state/environment.new"
	chmod 600 "$state/environment.new"
	mv "$state/environment.new" "$state/environment"
}

# Stores and outside world are written down first, so that nothing is stopped or started before all of it is known.
platform_define() {
	stores_define
	outside_define
	services_define
	process_end_undefined
	environment_write
}

services_start() {
	local -a names
	mapfile -t names < <(process_names_of service)
	((${#names[@]})) || return 0
	step "${#names[@]} processes of the platform" \
		"The platform is not whole. './dev status' shows what runs, './dev logs NAME' what it says." services_launch
}

# in_environment COMMAND...: with what .souk/<instance>/environment says.
in_environment() {
	(
		set -a
		# shellcheck disable=SC1091
		source "$state/environment"
		"$@"
	)
}

seed() {
	[[ -e $state/environment ]] || fail "The platform has not been started yet: ./dev up"
	[[ -x integration-tests/seed/load ]] || fail "There is no loader (integration-tests/seed/load)."
	step "Demo catalogue" "The demo catalogue could not be loaded; './dev status' shows whether the platform runs." \
		in_environment integration-tests/seed/load
}

# Once for each database: what was bought and changed since stays.
seed_first() {
	local mark=$state/seeded-$database
	[[ -x integration-tests/seed/load && ! -e $mark ]] || return 0
	seed
	touch "$mark"
}

platform_up() {
	local started=$EPOCHREALTIME
	(($# == 0)) || fail "Usage: ./dev up"
	instance_lock
	echo "${bold}Souk${plain}${dim}  instance '$instance' in .souk/$instance${plain}"
	packages_need "${debian_packages[@]}"
	build_need "$build" programs --buildtype=debugoptimized
	certs_need
	platform_define
	stores_start
	outside_start
	services_start
	seed_first
	if [[ -x integration-tests/seed/purchase ]]; then
		step "A purchase, as a check" "The platform runs, but a purchase failed." \
			in_environment integration-tests/seed/purchase
	fi
	platform_greeting "$started"
}

platform_greeting() {
	local -a names
	mapfile -t names < <(process_names_of service)
	echo
	echo "${green}Ready${plain} in $(seconds_since "$1") s."
	echo
	if [[ " ${names[*]} " == *' gateway '* ]]; then
		echo "  API          $gateway_url/v1/products"
		echo "  API docs     $gateway_url/docs      (OpenAPI: $gateway_url/openapi.json)"
	fi
	echo "  Mail inbox   $inbox_url"
	echo "  Payments     $stripe_url      (localstripe)"
	echo "  Carrier      $carrier_url"
	echo "  Certificates .souk/$instance/tls/dev      (for grpcurl)"
	echo
	echo "  ./dev status · ./dev logs · ./dev down"
	if [[ " ${names[*]} " == *' gateway '* ]]; then
		echo
		echo "Try:  curl -s '$gateway_url/v1/products?pageSize=3' | jq"
	fi
	if [[ $database == secantus-python ]]; then
		echo
		echo "${dim}The database is the Python server. './dev db' builds the faster one once, in about ten minutes.${plain}"
	fi
}

platform_down() {
	local forget=
	case ${1:-} in
	'') ;;
	--forget) forget=yes ;;
	*) fail "Usage: ./dev down [--forget]" ;;
	esac
	if [[ ! -d $state ]]; then
		echo "Nothing runs: there is no instance '$instance'."
		return
	fi
	instance_lock
	step "Stop" "Not all processes could be stopped; './dev status' shows which." process_end_all
	if [[ -n $forget ]]; then
		rm -rf "$state"
		note "The data, secrets and logs of '$instance' are gone."
	fi
}
