# Certificates for development: a CA of this instance, and one for each service, by which its peers know it.
#
# tls/<name>/{tls.crt,tls.key,ca.crt}. A certificate lasts 30 days and is made anew when fewer than 10 are left; services read the files
# again without a restart. The CA lasts a year; its key stays in secrets/, and no service can read more than its own folder needs.
# shellcheck shell=bash disable=SC2034,SC2154

certs_days=30
certs_renew_seconds=$((10 * 86400))

certs_fresh() {
	[[ -s $1 ]] && openssl x509 -in "$1" -noout -checkend "$certs_renew_seconds" >/dev/null
}

certs_authority() {
	local key=$state/secrets/ca.key certificate=$state/tls/ca.crt
	[[ -s $key ]] && certs_fresh "$certificate" && return
	mkdir -p "$state/secrets" "$state/tls"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key"
	openssl req -x509 -new -key "$key" -sha256 -days 365 -subj "/CN=Souk development CA ($instance)" \
		-addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
		-addext 'subjectKeyIdentifier=hash' -out "$certificate"
	rm -rf "$state"/tls/*/ # signed by the one before
}

# Each file is replaced by a rename, the key before the certificate: whoever watches them never reads half a file.
certs_issue() {
	local name=$1 folder=$state/tls/$1
	certs_fresh "$folder/tls.crt" && return
	mkdir -p "$folder"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/tls.key.new"
	openssl req -new -key "$folder/tls.key.new" -subj "/CN=$name" -out "$folder/tls.csr"
	openssl x509 -req -in "$folder/tls.csr" -CA "$state/tls/ca.crt" -CAkey "$state/secrets/ca.key" -sha256 -days "$certs_days" \
		-out "$folder/tls.crt.new" -extfile <(
			echo 'basicConstraints=critical,CA:FALSE'
			echo 'keyUsage=critical,digitalSignature'
			echo 'extendedKeyUsage=serverAuth,clientAuth'
			echo 'subjectKeyIdentifier=hash'
			echo 'authorityKeyIdentifier=keyid'
			echo "subjectAltName=DNS:localhost,DNS:$name,IP:127.0.0.1,URI:spiffe://souk/$name"
		)
	cp "$state/tls/ca.crt" "$folder/ca.crt.new"
	mv "$folder/ca.crt.new" "$folder/ca.crt"
	mv "$folder/tls.key.new" "$folder/tls.key"
	mv "$folder/tls.crt.new" "$folder/tls.crt"
	rm "$folder/tls.csr"
}

certs_issue_all() {
	local name
	umask 077
	certs_authority
	for name in "$@"; do
		certs_issue "$name"
	done
}

# The services', the gateway's, and `dev` for people with grpcurl.
certs_need() {
	local name
	for name in "${services[@]}" gateway dev; do
		if ! certs_fresh "$state/tls/$name/tls.crt"; then
			step "Certificates" "openssl could not make the certificates in $state/tls." \
				certs_issue_all "${services[@]}" gateway dev
			return
		fi
	done
}
