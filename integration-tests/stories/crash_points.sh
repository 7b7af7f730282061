#!/bin/sh
# crash_points.sh SOURCE_ROOT: a row { "service", "point" } for each crash_point() of the sources, so that none can be forgotten. A point that
# is named after no service is code that several run; it is tried in the three through which money and stock go.
set -eu
cd "$1"
grep -rhoE --include='*.c' '\bcrash_point\("[^"]+"\)' services gateway 2>/dev/null | sed 's/.*"\(.*\)".*/\1/' | sort -u |
	while read -r point; do
		service=${point%%.*}
		if [ -d "services/$service" ] && [ "$service" != common ]; then
			echo "{ \"$service\", \"$point\" },"
		else
			for service in orders payments inventory; do
				echo "{ \"$service\", \"$point\" },"
			done
		fi
	done
