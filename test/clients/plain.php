<?php
// An agent's PHP program on plain curl: prints the body and the status of one refund.
[, $base, $key, $amount] = $argv;
$call = curl_init("$base/v1/refunds");
curl_setopt_array($call, [
    CURLOPT_HTTPHEADER => ["Authorization: Bearer $key"],
    CURLOPT_POSTFIELDS => http_build_query(['charge' => 'ch_A', 'amount' => $amount]),
    CURLOPT_RETURNTRANSFER => true,
]);
$body = curl_exec($call);
echo $body, "\n", curl_getinfo($call, CURLINFO_RESPONSE_CODE);
