# What stands for the outside world: a payment server that this project did not write (localstripe), a mail inbox, a carrier.
# shellcheck shell=bash disable=SC2034,SC2154

outside_define() {
	payment_server_define
	inbox_define
	carrier_define
}

# In tests a proxy stands between payments and localstripe, in both directions, and can be told to misbehave.
payment_server_define() {
	local folder=$state/localstripe webhooks
	local -a scratch=()
	(umask 077 && mkdir -p "$folder")
	payment_webhook=$gateway_url/v1/webhooks/payments/stripe
	stripe_url=http://127.0.0.1:$(port localstripe)
	if instance_is_test; then
		payment_proxy_url=http://127.0.0.1:$(port payment-proxy)
		webhooks=$payment_proxy_url/_webhook
		scratch=(--from-scratch) # it rewrites all its state at each POST
		process_define outside payment-proxy "$(port payment-proxy)" "$payment_proxy_url/_control" \
			"$build/integration-tests/sandbox/payment_proxy" --port "$(port payment-proxy)" --upstream "$stripe_url" \
			--webhook "$payment_webhook"
	else
		payment_proxy_url=$stripe_url
		webhooks=$payment_webhook
	fi
	process_env=("WEBHOOK_SECRET=$(secret stripe-webhook)")
	process_define outside localstripe "$(port localstripe)" "tcp:$(port localstripe)" \
		"$(python_tools tools)/bin/python" integration-tests/sandbox/payment_server.py --port "$(port localstripe)" \
		--state "$folder/state" --webhook "$webhooks" "${scratch[@]}"
}

# maildev, or where node is missing, or in tests, our own with the same answers (SOUK_INBOX=maildev or plain chooses).
inbox_define() {
	local folder=$state/inbox kind=${SOUK_INBOX:-}
	if [[ -z $kind ]]; then
		if ! instance_is_test && maildev_can_run; then kind=maildev; else kind=plain; fi
	fi
	(umask 077 && mkdir -p "$folder")
	inbox_url=http://127.0.0.1:$(port inbox)
	case $kind in
	maildev)
		maildev_need
		process_define outside inbox "$(port smtp) $(port inbox)" "$inbox_url/healthz" \
			node "$(maildev_program)" --smtp "$(port smtp)" --web "$(port inbox)" --ip 127.0.0.1 --web-ip 127.0.0.1 \
			--mail-directory "$folder" --silent
		;;
	plain)
		process_define outside inbox "$(port smtp) $(port inbox)" "$inbox_url/healthz" \
			"$(python_tools tools)/bin/python" integration-tests/sandbox/inbox.py --smtp "$(port smtp)" --http "$(port inbox)" \
			--folder "$folder"
		;;
	*) fail "SOUK_INBOX is '$kind'; it may be maildev or plain." ;;
	esac
}

# A parcel takes a minute from the first scan to the door; seconds in tests.
carrier_define() {
	carrier_url=http://127.0.0.1:$(port carrier)
	process_env=("CARRIER_KEY=$(secret carrier-key)" "CARRIER_WEBHOOK_SECRET=$(secret carrier-webhook)")
	process_define outside carrier "$(port carrier)" "$carrier_url/_control" \
		"$build/integration-tests/sandbox/carrier_sandbox" --port "$(port carrier)" \
		--interval-ms "${SOUK_CARRIER_INTERVAL_MS:-$(instance_is_test && echo 1000 || echo 15000)}" \
		--webhook "$gateway_url/v1/webhooks/carriers/sandbox"
}

outside_launch() {
	# shellcheck disable=SC2046
	process_start $(process_names_of outside)
	# shellcheck disable=SC2046
	process_wait 30 $(process_names_of outside)
}

outside_start() {
	step "Payment server, inbox, carrier" "What stands for the outside world did not start; its logs are in $state/logs." outside_launch
}
