<?php
/* A batch from beginning to end: php campaign.php BATCH_ID NUMBER...
 *
 * Account and server come from the environment: CCS_URL, and CCS_KEY or CCS_USERNAME and CCS_PASSWORD; CCS_CA is a certificate
 * authority of your own. Run it again with the same arguments whenever it was interrupted: nobody is called twice. */
declare(strict_types=1);
require __DIR__ . '/Ccs.php';

$batchId = (int) $argv[1];
$numbers = array_slice($argv, 2);
$ccs = Ccs::fromEnvironment();
echo "account {$ccs->get('/clients/me')['accountcode']}\n";

/* The same batch under the same id is stored once, however often it is sent. */
$data = array_map(fn ($number, $row) => ['phone_number' => $number, 'custom_data' => ['row' => $row]],
	$numbers, array_keys($numbers));
$stored = $ccs->post('/queues/insertdataincallqueue', ['batch_id' => $batchId, 'data' => $data]);
echo "batch $batchId: {$stored['inserted_count']} stored\n";
foreach ($stored['rejected'] ?? [] as $row)
	echo "left out: {$row['phone_number']} ({$row['reason']})\n";

$started = $ccs->post('/controls/dispatch-calls');
echo "dispatched {$started['dispatched']}\n";
if ($started['blocked_reason'] !== null)
	echo "waiting: {$started['blocked_reason']}\n";

/* At a pace that leaves the request limit to others. */
while (($batch = $ccs->get("/queues/batches/$batchId"))['status'] !== 'finished')
	sleep(1);
$ended = array_filter($batch['counts']);
ksort($ended);
echo 'finished: ', implode(', ', array_map(fn ($state) => "$state $ended[$state]", array_keys($ended))), "\n";

$today = $ccs->get('/client-call-details/summary')['summary']['Grand Total'];
echo "today: {$today['calls']} calls, {$today['duration']} s\n";
