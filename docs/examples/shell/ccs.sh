# A client of the Centralized Calling System for the shell: `. ./ccs.sh`, then
#
#     ccs GET /clients/me
#     ccs POST /queues/quickcall '{"phone_number": "9876543210"}' order-17     the last word is an idempotency key
#
# It prints the answer, and fails with the error on standard error. Account and server come from the environment: CCS_URL, and
# CCS_KEY or CCS_USERNAME and CCS_PASSWORD; CCS_CA is a certificate authority of your own. Needs curl and jq.

# What curl must know and nobody may read in the list of processes: it comes to it as a file of options.
ccs_options() {
	if [ -n "${ccs_token-}" ]; then
		printf 'header = "Authorization: Bearer %s"\n' "$ccs_token"
	elif [ -n "${CCS_KEY-}" ]; then
		printf 'header = "X-API-KEY: %s"\n' "$CCS_KEY"
	fi
	[ -z "${CCS_CA-}" ] || printf 'cacert = "%s"\n' "$CCS_CA"
	[ -z "${1-}" ] || printf 'header = "Idempotency-Key: %s"\n' "$1"
}

ccs() { # method path [body [idempotency key]]
	ccs_body=$(mktemp) || return
	printf '%s' "${3-}" >"$ccs_body"
	ccs_send "$1" "$2" "${4-}" 30 --header 'Content-Type: application/json' ${3:+--data-binary "@$ccs_body"}
	ccs_sent=$?
	rm "$ccs_body"
	return "$ccs_sent"
}

# Sends a file as it is, piece by piece.
ccs_load() { # path file type
	ccs_send POST "$1" '' 600 --header "Content-Type: $3" --upload-file "$2"
}

# curl repeats after 429, 502, 503, 504 and lost connections, exactly as it was, and waits as long as Retry-After says.
ccs_send() { # method path idempotency-key seconds option...
	ccs_method=$1 ccs_path=$2 ccs_key=$3 ccs_seconds=$4
	shift 4
	ccs_folder=$(mktemp -d) || return
	ccs_status=$(ccs_options "$ccs_key" | curl --silent --show-error --config - --request "$ccs_method" \
		--max-time "$ccs_seconds" --retry 6 --retry-all-errors --output "$ccs_folder/answer" \
		--write-out '%{http_code}' "$@" "${CCS_URL%/}/api/v1$ccs_path")
	if [ "$ccs_status" = 200 ]; then
		cat "$ccs_folder/answer"
	elif [ -s "$ccs_folder/answer" ]; then
		jq -r '"\(.status_code) \(.code): \(.detail) (request \(.request_id))"' "$ccs_folder/answer" >&2
	fi
	rm -r "$ccs_folder"
	[ "$ccs_status" = 200 ]
}

# With a name and a password instead of a key. Tokens live half an hour; `ccs POST /auth/refresh` gets the next.
ccs_sign_in() {
	ccs_tokens=$(ccs POST /auth/login "$(jq -n '{username: env.CCS_USERNAME, password: env.CCS_PASSWORD}')") &&
		ccs_token=$(printf '%s' "$ccs_tokens" | jq -r .access_token)
}
