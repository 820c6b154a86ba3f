<?php
/* Queues a file of numbers, CSV or NDJSON: php load.php BATCH_ID FILE. The environment is that of campaign.php.
 *
 * The file is stored whole or not at all, and once, however often it is sent under its id. */
declare(strict_types=1);
require __DIR__ . '/Ccs.php';

[, $batchId, $file] = $argv;
$type = str_ends_with($file, '.csv') ? 'text/csv' : 'application/x-ndjson';
$stored = Ccs::fromEnvironment()->load("/queues/batches/$batchId/entries", $file, $type);
echo "batch $batchId: $stored[inserted_count] stored, $stored[rejected_count] left out\n";
foreach ($stored['rejected'] as $row) /* the first hundred of them */
	echo "left out: $row[detail]\n";
