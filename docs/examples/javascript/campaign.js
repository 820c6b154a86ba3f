// A batch from beginning to end: node campaign.js BATCH_ID NUMBER...
//
// Account and server come from the environment: CCS_URL, and CCS_KEY or CCS_USERNAME and CCS_PASSWORD. Run it again with the
// same arguments whenever it was interrupted: nobody is called twice.
'use strict';

const { fromEnvironment, sleep } = require('./ccs.js');

async function main(batchId, ...numbers) {
	const ccs = fromEnvironment();
	console.log(`account ${(await ccs.get('/clients/me')).accountcode}`);

	// The same batch under the same id is stored once, however often it is sent.
	const data = numbers.map((number, row) => ({ phone_number: number, custom_data: { row } }));
	const stored = await ccs.post('/queues/insertdataincallqueue', { batch_id: Number(batchId), data });
	console.log(`batch ${batchId}: ${stored.inserted_count} stored`);
	for (const row of stored.rejected ?? [])
		console.log(`left out: ${row.phone_number} (${row.reason})`);

	const started = await ccs.post('/controls/dispatch-calls');
	console.log(`dispatched ${started.dispatched}`);
	if (started.blocked_reason)
		console.log(`waiting: ${started.blocked_reason}`);

	// At a pace that leaves the request limit to others. Who wants to know at once listens instead: listen.js.
	let batch;
	while ((batch = await ccs.get(`/queues/batches/${batchId}`)).status !== 'finished')
		await sleep(1);
	const ended = Object.entries(batch.counts).filter(([, count]) => count).sort();
	console.log(`finished: ${ended.map(([state, count]) => `${state} ${count}`).join(', ')}`);

	const today = (await ccs.get('/client-call-details/summary')).summary['Grand Total'];
	console.log(`today: ${today.calls} calls, ${today.duration} s`);
}

main(...process.argv.slice(2)).catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
