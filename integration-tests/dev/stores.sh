# Redis, NATS and the database, on loopback, each with authentication on and a user per service.
# shellcheck shell=bash disable=SC2034,SC2100,SC2154

secantus_version=0.5.3-beta.193
secantus=$cache/secantus-mdb-$secantus_version/bin/secantusd-rs

redis_define() {
	local folder=$state/redis password
	password=$(secret redis)
	(
		umask 077
		mkdir -p "$folder"
		# Sessions outlive a restart of a developer's platform. Tests begin with nothing and have no use for the writes.
		cat >"$folder/redis.conf" <<-CONF
			bind 127.0.0.1
			port $(port redis)
			dir $folder
			daemonize no
			appendonly $(instance_is_test && echo no || echo yes)
			save ""
			maxmemory 256mb
			maxmemory-policy volatile-ttl
			user default off
			user souk on >$password ~* &* +@all -@admin -@dangerous
			user admin on >$(secret redis-admin) ~* &* +@all
		CONF
	)
	redis_url=redis://souk:$password@127.0.0.1:$(port redis)
	redis_admin_url=redis://admin:$(secret redis-admin)@127.0.0.1:$(port redis)
	process_define store redis "$(port redis)" "tcp:$(port redis)" redis-server "$folder/redis.conf"
	echo "$folder/redis.conf" >"$state/run/redis/config"
}

# What a service may do on the bus: hear all facts, publish its own and its dead letters, and work with streams and consumers. It cannot
# speak for another service, nor delete or purge a stream.
nats_user() {
	cat <<-CONF
		{ user: "$1", password: "$(secret "nats-$1")", permissions: {
		    publish: { allow: [ "souk.$1.>", "souk.dlq.$1", "_INBOX.>", "\$JS.API.INFO",
		      "\$JS.API.STREAM.NAMES", "\$JS.API.STREAM.LIST", "\$JS.API.STREAM.INFO.>", "\$JS.API.STREAM.CREATE.>",
		      "\$JS.API.STREAM.UPDATE.>", "\$JS.API.STREAM.MSG.GET.>", "\$JS.API.CONSUMER.>", "\$JS.ACK.>" ] },
		    subscribe: { allow: [ "_INBOX.>", "souk.>" ] } } }
	CONF
}

nats_url() {
	echo "nats://$1:$(secret "nats-$1")@127.0.0.1:$(port nats)"
}

nats_define() {
	local folder=$state/nats name
	(
		umask 077
		mkdir -p "$folder"
		cat >"$folder/nats.conf" <<-CONF
			host: 127.0.0.1
			port: $(port nats)
			http: "127.0.0.1:$(port nats-monitor)"
			server_name: souk-$instance
			max_payload: 1MB
			max_connections: 1000
			jetstream { store_dir: "$folder", max_memory_store: 64MB, max_file_store: 256GB }
			authorization { users: [
		CONF
		for name in "${services[@]}"; do
			nats_user "$name" >>"$folder/nats.conf"
		done
		echo "{ user: \"admin\", password: \"$(secret nats-admin)\" } ] }" >>"$folder/nats.conf"
	)
	process_define store nats "$(port nats) $(port nats-monitor)" "http://127.0.0.1:$(port nats-monitor)/healthz" \
		nats-server --config "$folder/nats.conf"
	echo "$folder/nats.conf" >"$state/run/nats/config"
}

# The database: yours (SOUK_MONGODB_URI), else mongod where it is on the PATH, else SecantusDB, which speaks MongoDB's protocol: the Rust
# server if `./dev db` built it, else the Python one, so that a first `up` never waits for a build of ten minutes.
# SOUK_DATABASE chooses one: mongod, secantus-rust or secantus-python.
database_choose() {
	database=${SOUK_DATABASE:-}
	if [[ -n ${SOUK_MONGODB_URI:-} ]]; then
		database=yours
	elif [[ -n $database ]]; then
		[[ $database =~ ^(mongod|secantus-rust|secantus-python)$ ]] ||
			fail "SOUK_DATABASE is '$database'; it may be mongod, secantus-rust or secantus-python."
	elif command -v mongod >/dev/null; then
		database=mongod
	elif [[ -x $secantus ]]; then
		database=secantus-rust
	else
		database=secantus-python
	fi
}

# database_command AUTH: the server's command line, one word a line; with or without authentication.
database_command() {
	local auth=$1 folder=$state/$database
	case $database in
	mongod)
		printf '%s\n' mongod --bind_ip 127.0.0.1 --port "$(port mongodb)" --dbpath "$folder" --wiredTigerCacheSizeGB 0.25
		;;
	secantus-rust)
		printf '%s\n' "$secantus" --port "$(port mongodb)" --storage-path "$folder" --cache-size 256M
		# Without it an acknowledged write can be lost by kill -9.
		printf '%s\n' --sync-on-commit --log-level WARNING
		;;
	secantus-python)
		printf '%s\n' "$(python_tools secantus)/bin/python" -c 'from secantus.cli import main; main()'
		printf '%s\n' --host 127.0.0.1 --port "$(port mongodb)" --storage-path "$folder" --cache-size 256M --sync-on-commit
		printf '%s\n' --log-level WARNING
		;;
	esac
	if [[ $auth == auth ]]; then
		echo --auth
	fi
}

# The first administrator can only be made on a server that asks nobody who they are: once, before it is started for good.
database_bootstrap() {
	local -a command
	local pid status=0
	mkdir -p "$state/$database"
	mapfile -t command < <(database_command open)
	"${command[@]}" &
	pid=$!
	printf '%s\n' "mongodb://127.0.0.1:$(port mongodb)" "administrator admin $(secret mongodb-admin)" |
		"$(python_tools tools)/bin/python" integration-tests/dev/database_users.py || status=$?
	kill "$pid"
	wait "$pid" || true
	((status == 0)) && touch "$state/$database.has-admin"
}

database_define() {
	local -a command
	database_choose
	if [[ $database == yours ]]; then
		[[ $SOUK_MONGODB_URI == mongodb://* ]] || fail "SOUK_MONGODB_URI must begin with mongodb://."
		mongodb_admin_uri=$SOUK_MONGODB_URI
		return
	fi
	mongodb_admin_uri="mongodb://admin:$(secret mongodb-admin)@127.0.0.1:$(port mongodb)/?authSource=admin"
	mapfile -t command < <(database_command auth)
	process_define store mongodb "$(port mongodb)" "tcp:$(port mongodb)" "${command[@]}"
	echo "$database" >"$state/run/mongodb/server"
}

# The database of a service: souk_<service>. On a server of yours the tests get their own, beside those that an `up` may have there.
database_of() {
	if [[ $database == yours ]] && instance_is_test; then
		echo "souk_${instance//-/_}_$1"
	else
		echo "souk_$1"
	fi
}

# A user for each service, made or renewed at each start. What an earlier run of the tests left on a server of yours goes.
database_users() {
	local name
	{
		echo "$mongodb_admin_uri"
		for name in "${services[@]}"; do
			if [[ $database == yours ]] && instance_is_test; then
				echo "drop $(database_of "$name")"
			fi
			echo "user $name $(secret "mongodb-$name") $(database_of "$name")"
		done
	} | "$(python_tools tools)/bin/python" integration-tests/dev/database_users.py
}

# mongodb_uri SERVICE: as its own user, in its own database; options such as tls and replicaSet stay as they were given.
mongodb_uri() {
	local rest=${mongodb_admin_uri#mongodb://} options='' name
	name=$(database_of "$1")
	rest=${rest##*@}
	if [[ $rest == *\?* ]]; then
		options=$(tr '&' '\n' <<<"${rest#*\?}" | grep -v '^authSource=' | paste -sd '&' || true)
	fi
	echo "mongodb://$1:$(secret "mongodb-$1")@${rest%%[/?]*}/$name?authSource=$name${options:+&$options}"
}

stores_define() {
	redis_define
	nats_define
	database_define
}

stores_launch() {
	local -a names=(redis nats)
	if [[ $database != yours ]]; then
		names+=(mongodb)
		process_supervised mongodb || [[ -e $state/$database.has-admin ]] || database_bootstrap
	fi
	process_start "${names[@]}"
	process_wait 30 "${names[@]}"
	database_users
}

stores_start() {
	python_tools_need tools
	[[ $database != secantus-python ]] || python_tools_need secantus
	step "Stores (Redis, NATS, ${database/#yours/your MongoDB})" "The stores did not start; their logs are in $state/logs." stores_launch
}

# ./dev db: the Rust server, by version, outside the build folder.
# Debian 12's own is older, and fails after a minute of compiling.
cargo_need() {
	local version=
	! command -v cargo >/dev/null || version=$(cargo --version | cut -d ' ' -f 2)
	[[ $(printf '%s\n' "$1" "${version:-0}" | sort -V | head -n 1) == "$1" ]] ||
		fail "The faster database server needs cargo $1 or newer (https://rustup.rs); here is ${version:-none}. The Python server does without."
}

database_build() {
	if [[ -x $secantus ]]; then
		echo "SecantusDB $secantus_version is there: $secantus"
		return
	fi
	cargo_need 1.95
	packages_need gcc g++ cmake make pkg-config
	mkdir -p "$cache"
	exec {building}>"$cache/secantus.lock"
	flock "$building" # somebody else may be at it already
	[[ -x $secantus ]] || step "SecantusDB $secantus_version (about 10 min)" \
		"cargo could not build secantus-mdb $secantus_version." \
		cargo install secantus-mdb --version "$secantus_version" --locked --ignore-rust-version \
		--root "$cache/secantus-mdb-$secantus_version"
	echo "The next ./dev up uses it, with data of its own."
}
