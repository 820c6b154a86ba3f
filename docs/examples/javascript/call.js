// One call at once: node call.js ORDER NUMBER. The order's own number is the idempotency key: run twice, it rings once.
'use strict';

const { fromEnvironment } = require('./ccs.js');

async function main(order, number) {
	const called = await fromEnvironment().post('/queues/quickcall', { phone_number: number, custom_data: { order } },
		{ idempotencyKey: `order-${order}` });
	console.log(`call ${called.call_id}`);
}

main(...process.argv.slice(2)).catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
