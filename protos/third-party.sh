#!/usr/bin/env bash
# Unpacks the protos that Google publishes (google/api, google/rpc, google/type) into a folder: third-party.sh DEST
#
# They come from a pinned wheel of PyPI rather than from a copy in this repository. The wheel is kept in ${SOUK_CACHE:-~/.cache/souk}, so
# only the first build on a machine needs a network. Meson calls this when it configures a build folder.
set -euo pipefail

version=1.76.0
sha256=59e13344a9f3651aa201a03e2bee815a3bf43a4baf1f9ff8a9b62a840ce25fac
wheel=googleapis_common_protos-$version-py3-none-any.whl
folder=${SOUK_CACHE:-$HOME/.cache/souk}/googleapis-common-protos-$version

if [[ $# -ne 1 ]]; then
	echo "Usage: $0 DEST" >&2
	exit 2
fi
dest=$1

if [[ -e $dest/.version && $(<"$dest/.version") == "$version" ]]; then
	exit 0
fi

if [[ ! -e $folder/$wheel ]]; then
	python=/usr/bin/python3
	[[ -x $python ]] || python=python3
	mkdir -p "$folder"
	download=$(mktemp -d "$folder/download.XXXXXX")
	trap 'rm -rf "$download"' EXIT
	if ! "$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$download" \
		"googleapis-common-protos==$version" >&2; then
		echo "Google's protos could not be fetched: 'pip download googleapis-common-protos==$version' failed." \
			"Check the network (PyPI) and that python3-pip is installed." >&2
		exit 1
	fi
	if ! echo "$sha256  $download/$wheel" | sha256sum --check --quiet >&2; then
		echo "googleapis-common-protos $version from PyPI is not the file that this project was written against." >&2
		exit 1
	fi
	mv "$download/$wheel" "$folder/$wheel"
fi

# Times come from the archive, so that unpacking again rebuilds nothing.
mkdir -p "$dest"
unzip -q -o "$folder/$wheel" 'google/api/*.proto' 'google/rpc/*.proto' 'google/type/*.proto' -d "$dest"
echo "$version" >"$dest/.version"
