#!/bin/bash
# One call at once: call.sh ORDER NUMBER. The order's own number is the idempotency key: run twice, it rings once.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/ccs.sh"

[ -n "${CCS_KEY-}" ] || ccs_sign_in
body=$(jq -n --arg order "$1" --arg number "$2" '{phone_number: $number, custom_data: {$order}}')
ccs POST /queues/quickcall "$body" "order-$1" | jq -r '"call \(.call_id)"'
