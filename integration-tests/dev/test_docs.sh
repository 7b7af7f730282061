#!/usr/bin/env bash
# What README and docs/ point to is there: files by their path, links, numbers of ports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pages=(README.md CONTRIBUTING.md gen/plugin/README.md docs/*.md docs/decisions/*.md)
n=0 failures=0

# check TEXT COMMAND...
check() {
	local text=$1
	shift
	n=$((n + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "$text"
}

there() {
	[[ -n $(compgen -G "$1") ]]
}

# Links to files, from the page's own folder.
for page in "${pages[@]}"; do
	while IFS= read -r link; do
		check "$page links to $link, which is not there." there "$(dirname "$page")/$link"
	done < <(grep -oE '\]\([^):#]+\)' "$page" | sed 's/^](//; s/)$//')
done

# Paths in backquotes. The tutorial's own service is made by who follows it; build/ is made by the build.
# shellcheck disable=SC2016
while IFS=: read -r page path; do
	check "$page names $path, which is not there." there "$path"
done < <(grep -oE '`(gen|gateway|services|protos|integration-tests|docs|helm)/[A-Za-z0-9_.*/-]+`' "${pages[@]}" | tr -d '`' | grep -v wishlist | sort -u)

# The table of services.
while IFS=$'\t' read -r number name _; do
	[[ $number == \#* ]] && continue
	row="| $number | $name | $((7000 + number)) | $((7100 + number)) |"
	check "README.md has no row that begins with '$row'." grep -qF "$row" README.md
done <integration-tests/dev/services.tsv

echo "$(((n - failures) * 100 / n))%: Checks: $n, Failures: $failures, Errors: 0"
((failures == 0))
