#!/usr/bin/env bash
# Builds the peers from registries: build.sh FOLDER THIRD_PARTY_PROTOS
#
# Go modules by the Go that is on the PATH (what go.mod asks for, or newer), gRPC C++ from Debian's libgrpc++-dev.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
third_party=$(cd "$2" && pwd)
module=souk.example/peers
includes=(-I "$root/protos" -I "$here" -I "$third_party" -I /usr/include)

if [[ -e $folder/built && -z $(find "$here" "$root/protos" -newer "$folder/built" \( -name "*.go" -o -name "*.cc" -o -name "*.proto" -o -name "go.*" -o -name build.sh \)) ]]; then
	exit 0
fi
rm -f "$folder/built"

# Go: one package a domain.
mkdir -p "$folder/go"
cp -ru "$here/go/." "$folder/go/"
cd "$folder/go"
GOBIN=$folder/bin go install -mod=mod tool
mappings=("Mcrpc/v1/options.proto=$module/gen/crpc" "Mbench.proto=$module/gen/bench")
protos=(crpc/v1/options.proto bench.proto)
for proto in "$root"/protos/souk/type/v1/{address,shipping_quote}.proto; do
	protos+=("${proto#"$root/protos/"}")
	mappings+=("M${protos[-1]}=$module/gen/souktype")
done
for proto in "$root"/protos/souk/*/v1/*.proto; do
	domain=$(basename "$(dirname "$(dirname "$proto")")")
	if [[ $(basename "$proto") == "$domain.proto" ]]; then
		protos+=("${proto#"$root/protos/"}")
		mappings+=("M${protos[-1]}=$module/gen/$domain")
	fi
done
options=$(IFS=,; echo "module=$module,${mappings[*]}")
PATH=$folder/bin:$PATH protoc "${includes[@]}" --go_out=. --go_opt="$options" --go-grpc_out=. --go-grpc_opt="$options" \
	--grpc-gateway_out=. --grpc-gateway_opt="$options,allow_delete_body=true" "${protos[@]}"
go build -mod=mod -o "$folder/bin/" ./server ./gateway ./publish ./load

# C++: the catalogue and what it is made of.
mkdir -p "$folder/cc"
cd "$folder/cc"
protos=(crpc/v1/options google/api/{annotations,http,field_behavior,httpbody} google/type/money souk/catalog/v1/catalog bench)
protoc "${includes[@]}" --cpp_out=. "${protos[@]/%/.proto}"
protoc "${includes[@]}" --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" --grpc_out=. souk/catalog/v1/catalog.proto bench.proto
# An object is named after its source's content: protoc writes its files anew each time.
compile() {
	local object
	object=$(echo "$1" | tr / _)-$(cat "$1" "${1/%.cc/.h}" 2>/dev/null | sha256sum | cut -c 1-12).o
	[[ -e $object ]] || g++ -std=c++17 -O2 -I . -c "$1" -o "$object"
	echo "$object"
}
objects=()
for source in "${protos[@]/%/.pb.cc}" souk/catalog/v1/catalog.grpc.pb.cc bench.grpc.pb.cc; do
	objects+=("$(compile "$source")")
done
read -ra libraries < <(pkg-config --libs grpc++ protobuf)
g++ -std=c++17 -O2 -I . "$here/server.cc" "${objects[@]}" -o "$folder/bin/server-cc" "${libraries[@]}"
touch "$folder/built"
