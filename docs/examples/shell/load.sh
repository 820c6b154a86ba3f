#!/bin/bash
# Queues a file of numbers, CSV or NDJSON: load.sh BATCH_ID FILE. The environment is that of ccs.sh. The file is stored whole or
# not at all, and once, however often it is sent under its id.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/ccs.sh"

batch_id=$1 file=$2 type=application/x-ndjson
[ "${file%.csv}" = "$file" ] || type=text/csv
[ -n "${CCS_KEY-}" ] || ccs_sign_in
ccs_load "/queues/batches/$batch_id/entries" "$file" "$type" |
	jq -r '"batch \(.batch_id): \(.inserted_count) stored, \(.rejected_count) left out",
		(.rejected[] | "left out: \(.detail)")'
