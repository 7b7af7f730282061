#!/bin/sh
# nanopb writes its output under the folders of its input; the build wants it flat. PROTOC OUT PROTO ROOT...
set -eu
protoc=$1 out=$2 proto=$3
shift 3
includes=
for root; do
	includes="$includes -I $root"
done
folder=$(dirname "$proto")
# Run beside the proto: nanopb finds the .options file there, and the output is flat.
# shellcheck disable=SC2086 # several words on purpose
"$protoc" -I "$folder" $includes --nanopb_out="-q -I $folder -x crpc/v1/options.proto:$out" "$(basename "$proto")"
sed -i 's|#include "\(.*/\)\([^/]*\.pb\.h\)"|#include "\2"|' "$out/$(basename "$proto" .proto).pb.h"
