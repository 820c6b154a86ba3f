<?php
// Takes callbacks: believes what is signed, takes each event once, answers at once.
//
//     CCS_WEBHOOK_SECRET=whsec_... CCS_SEEN=/var/lib/receiver php -S 127.0.0.1:PORT receive.php
//
// Or under your web server, which has the certificate for your callbackurl. While a secret is changed, CCS_WEBHOOK_SECRET
// holds both, separated by a blank. CCS_SEEN is a folder for the ids of events.

const TOLERANCE_SECONDS = 300;

// One of our keys made one of the signatures, not long ago, over this very body.
function is_ours(string $id, string $timestamp, string $signatures, string $body): bool
{
    if (!ctype_digit($timestamp) || abs(time() - (int)$timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    foreach (explode(' ', getenv('CCS_WEBHOOK_SECRET')) as $secret) {
        $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
        foreach (explode(' ', $signatures) as $given) {
            if (hash_equals($expected, $given)) {
                return true;
            }
        }
    }
    return false;
}

// What you do about it. Quickly, or later: we wait five seconds for the answer.
function take(array $event): void
{
    error_log("$event[type] $event[id]");
}

$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$body = file_get_contents('php://input');
if (!is_ours($id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '', $body)) {
    http_response_code(401);
    exit;
}
// Opening with 'x' fails when the file is there: the event was taken before. The id is ours, so its name is safe.
$file = @fopen(getenv('CCS_SEEN') . '/' . preg_replace('/[^\w-]/', '_', $id), 'x');
if ($file) {
    take(json_decode($body, true));
}
http_response_code(200);
