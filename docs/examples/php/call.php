<?php
/* One call at once: php call.php ORDER NUMBER. The order's own number is the idempotency key: run twice, it rings once. */
declare(strict_types=1);
require __DIR__ . '/Ccs.php';

[, $order, $number] = $argv;
$called = Ccs::fromEnvironment()->post('/queues/quickcall',
	['phone_number' => $number, 'custom_data' => ['order' => $order]], idempotencyKey: "order-$order");
echo "call {$called['call_id']}\n";
