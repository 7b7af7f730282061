# Building with meson, one build folder a purpose.
# shellcheck shell=bash disable=SC2034,SC2154

# build_configure FOLDER OPTION...: once, and again for a new service or proto, which meson looks for only then; when a meson.build changed
# ninja does so by itself.
build_configure() {
	local folder=$1 files
	local -a again=()
	shift
	files=$(printf '%s\n' services/*/meson.build protos/souk/*/v1/*)
	if [[ -e $folder/build.ninja ]]; then
		[[ -e $folder/files && $(<"$folder/files") == "$files" ]] && return
		again=(--reconfigure)
	else
		rm -rf "$folder" # a configuration that failed leaves a folder that meson neither takes nor wipes
	fi
	meson setup "${again[@]}" "$folder" "$@"
	echo "$files" >"$folder/files"
}

# build_target FOLDER TARGET OPTION...
build_target() {
	local folder=$1 target=$2
	shift 2
	build_configure "$folder" "$@"
	ninja -C "$folder" "$target"
}

# build_need FOLDER TARGET OPTION...: configured and built, what is not up to date. `programs` is what runs, `all` has the tests too.
build_need() {
	[[ -e meson.build ]] || fail "There is no meson.build here: is this a whole checkout?"
	step "Build (${1##*/})" "The build failed; 'ninja -C $1' shows it again." build_target "$@"
}
