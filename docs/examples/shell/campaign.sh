#!/bin/bash
# A batch from beginning to end: campaign.sh BATCH_ID NUMBER...   The environment is that of ccs.sh. Run it again with the same
# arguments whenever it was interrupted: nobody is called twice.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/ccs.sh"

batch_id=$1
shift
[ -n "${CCS_KEY-}" ] || ccs_sign_in
ccs GET /clients/me | jq -r '"account \(.accountcode)"'

# The same batch under the same id is stored once, however often it is sent.
body=$(jq -n --argjson batch_id "$batch_id" \
	'{$batch_id, data: [$ARGS.positional | to_entries[] | {phone_number: .value, custom_data: {row: .key}}]}' --args "$@")
ccs POST /queues/insertdataincallqueue "$body" | jq -r '"batch \(.batch_id): \(.inserted_count) stored",
	(.rejected // [] | .[] | "left out: \(.phone_number) (\(.reason))")'

ccs POST /controls/dispatch-calls | jq -r '"dispatched \(.dispatched)", (.blocked_reason | values | "waiting: \(.)")'

# At a pace that leaves the request limit to others.
while batch=$(ccs GET "/queues/batches/$batch_id") && [ "$(echo "$batch" | jq -r .status)" != finished ]; do
	sleep 1
done
echo "$batch" | jq -r '[.counts | to_entries | sort_by(.key)[] | select(.value > 0) | "\(.key) \(.value)"] |
	"finished: " + join(", ")'

ccs GET /client-call-details/summary | jq -r '.summary["Grand Total"] | "today: \(.calls) calls, \(.duration) s"'
