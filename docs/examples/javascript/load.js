// Queues a file of numbers, CSV or NDJSON: node load.js BATCH_ID FILE. The environment is that of campaign.js.
//
// The file is stored whole or not at all, and once, however often it is sent under its id.
'use strict';

const { fromEnvironment } = require('./ccs.js');

async function main(batchId, file) {
	const type = file.endsWith('.csv') ? 'text/csv' : 'application/x-ndjson';
	const stored = await fromEnvironment().load(`/queues/batches/${batchId}/entries`, file, type);
	console.log(`batch ${batchId}: ${stored.inserted_count} stored, ${stored.rejected_count} left out`);
	for (const row of stored.rejected) // the first hundred of them
		console.log(`left out: ${row.detail}`);
}

main(...process.argv.slice(2)).catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
