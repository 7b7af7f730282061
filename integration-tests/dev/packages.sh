# What the machine must have: Debian's packages by apt, everything else pinned by version in a cache folder outside the build.
# shellcheck shell=bash disable=SC2034,SC2154

cache=${SOUK_CACHE:-$HOME/.cache/souk}
maildev_version=2.2.1
maildev_before=2026-11-01 # npm takes what maildev itself asks for as it was on that day

debian_packages=(
	meson ninja-build pkg-config gcc g++ libc6-dev
	protobuf-compiler libprotobuf-dev libprotoc-dev libprotobuf-c-dev protobuf-c-compiler nanopb libnanopb-dev
	libgrpc-dev grpc-proto
	libmongoc-dev libhiredis-dev libnats-dev nats-server redis-server redis-tools
	libnghttp2-dev libhttp-parser-dev libwslay-dev libmicrohttpd-dev libcurl4-openssl-dev
	libssl-dev libsodium-dev libjansson-dev libzxcvbn-dev zlib1g-dev
	check make curl jq openssl ca-certificates unzip python3-venv python3-pip
	procps iproute2 util-linux runit
)
check_packages=(clang libclang-rt-14-dev clang-format-15 shellcheck git)
bench_packages=(wrk)
peers_packages=(libgrpc++-dev protobuf-compiler-grpc nghttp2-client)

# The Python that gets our venvs. Debian's own before one that a version manager put on the PATH, so that a venv outlives the latter.
python=/usr/bin/python3
[[ -x $python ]] || python=python3

packages_missing() {
	local package installed
	# shellcheck disable=SC2016
	installed=$(dpkg-query -W -f ' ${Package} ${db:Status-Status} ' "$@" 2>/dev/null || true)
	for package in "$@"; do
		[[ $installed == *" $package installed "* ]] || echo "$package"
	done
}

# apt as root; with sudo elsewhere. A daemon's package may want to start it at once: our own stores are started by hand.
packages_apt() {
	local -a as_root=()
	if ((EUID != 0)); then
		command -v sudo >/dev/null || fail "These Debian packages are missing and sudo is not there to install them: $*"
		as_root=(sudo)
	fi
	export DEBIAN_FRONTEND=noninteractive
	"${as_root[@]}" apt-get update -qq || true # an unreachable extra source is no reason to stop
	"${as_root[@]}" apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

packages_need() {
	local -a missing
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]} == 0)) && return
	command -v apt-get >/dev/null ||
		fail "Souk is developed on Debian 12; install the likes of these by hand: ${missing[*]}"
	if ((EUID != 0)) && command -v sudo >/dev/null; then
		sudo -v # asks for the password here, not behind a progress line
	fi
	step "Debian packages (${#missing[@]})" "apt-get could not install: ${missing[*]}" packages_apt "${missing[@]}"
}

# python_tools NAME: the venv of integration-tests/dev/NAME.txt, whose versions are all pinned; made once for each content.
python_tools() {
	local list=integration-tests/dev/$1.txt
	echo "$cache/$1-$(sha256sum "$list" | cut -c 1-12)"
}

python_tools_make() {
	local venv=$1 list=$2
	rm -rf "$venv"
	mkdir -p "$cache"
	"$python" -m venv "$venv" # where it stays: its programs begin with its path
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
	touch "$venv/complete"
}

python_tools_need() {
	local venv
	venv=$(python_tools "$1")
	[[ -e $venv/complete ]] && return
	step "Python packages: $1" "pip could not install what integration-tests/dev/$1.txt lists. Is PyPI reachable?" \
		python_tools_make "$venv" "integration-tests/dev/$1.txt"
}

# The inbox with a web page needs node; without it the inbox is integration-tests/sandbox/inbox.py.
maildev_program() {
	echo "$cache/maildev-$maildev_version/node_modules/maildev/bin/maildev"
}

maildev_make() {
	local folder=$cache/maildev-$maildev_version
	rm -rf "$folder.new"
	mkdir -p "$folder.new"
	npm install --prefix "$folder.new" --no-audit --no-fund --ignore-scripts --loglevel=error \
		--before="$maildev_before" "maildev@$maildev_version"
	mv "$folder.new" "$folder"
}

maildev_can_run() {
	local major
	command -v node >/dev/null && command -v npm >/dev/null || return
	major=$(node --version | sed 's/^v//; s/\..*//')
	((major >= 18))
}

maildev_need() {
	[[ -e $(maildev_program) ]] && return
	step "Inbox page (npm maildev)" \
		"npm could not install maildev $maildev_version. SOUK_INBOX=plain does without it." maildev_make
}
