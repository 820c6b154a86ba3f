<?php
/* A client of the Centralized Calling System for PHP 8. It repeats what may be repeated, waits as long as it is told, and
 * logs it.
 *
 *     $ccs = new Ccs(getenv('CCS_URL'), key: getenv('CCS_KEY'));
 *     $ccs->post('/queues/quickcall', ['phone_number' => '9876543210'], idempotencyKey: 'order-17');
 *
 * Needs Debian's php-curl. */
declare(strict_types=1);

class CcsError extends Exception
{
	public readonly string $slug;

	public function __construct(array $error)
	{
		parent::__construct("{$error['status_code']} {$error['code']}: {$error['detail']} (request {$error['request_id']})");
		$this->slug = $error['code'];
	}
}

class Ccs
{
	private const ATTEMPTS = 6;
	private const SECONDS = 30; // for one attempt
	private const FILE_SECONDS = 600; // for one attempt to send a file
	private const REPEAT = [429, 502, 503, 504]; // nothing is wrong with the request

	private CurlHandle $curl;
	private array $headers = ['Content-Type' => 'application/json'];
	private ?string $refreshToken = null;
	private int $freeAt = 0; // when the next request may be sent

	public function __construct(private string $url, ?string $key = null, ?string $username = null,
		?string $password = null, private ?string $ca = null)
	{
		$this->url = rtrim($url, '/') . '/api/v1';
		$this->curl = curl_init();
		if ($key !== null)
			$this->headers['X-API-KEY'] = $key;
		else
			$this->use($this->post('/auth/login', ['username' => $username, 'password' => $password]));
	}

	/* The account that the environment names. Secrets come from there or from a file, never from a command line. */
	public static function fromEnvironment(): self
	{
		$of = fn (string $name) => getenv($name) ?: null;
		return new self($of('CCS_URL'), $of('CCS_KEY'), $of('CCS_USERNAME'), $of('CCS_PASSWORD'), $of('CCS_CA'));
	}

	public function get(string $path, array $query = []): array
	{
		return $this->request('GET', $path . ($query ? '?' . http_build_query($query) : ''));
	}

	public function post(string $path, array $body = [], ?string $idempotencyKey = null): array
	{
		return $this->request('POST', $path, json_encode((object) $body, JSON_THROW_ON_ERROR), $idempotencyKey);
	}

	/* Sends a file as it is, piece by piece. */
	public function load(string $path, string $file, string $type): array
	{
		return $this->request('POST', $path, headers: ['Content-Type' => $type], file: $file);
	}

	/* The answer's JSON. An attempt that failed for no fault of ours is made again, exactly as it was. */
	private function request(string $method, string $path, ?string $body = null, ?string $idempotencyKey = null,
		array $headers = [], ?string $file = null): array
	{
		$headers += $idempotencyKey ? ['Idempotency-Key' => $idempotencyKey] : [];
		for ($attempt = 1; $attempt <= self::ATTEMPTS; $attempt++) {
			sleep(max(0, $this->freeAt - time()));
			$wait = self::backoff($attempt);
			[$status, $heard, $text] = $this->attempt($method, $path, $headers + $this->headers, $body, $file);
			if ($status === 0) { // it is not known whether the request arrived
				self::log("$method $path: " . curl_error($this->curl) . "; attempt $attempt");
			} else {
				self::log("$method $path: $status (request " . ($heard['x-request-id'] ?? '') . ')');
				$this->pace($heard);
				$said = json_decode($text, true, flags: JSON_THROW_ON_ERROR);
				if ($status === 200)
					return $said;
				if ($this->renewed($path, $status))
					continue;
				if (!in_array($status, self::REPEAT) || $attempt === self::ATTEMPTS)
					throw new CcsError($said);
				$wait = (float) ($heard['retry-after'] ?? $wait);
			}
			usleep((int) ($wait * 1e6));
		}
		throw new Exception("$method $path: no answer in " . self::ATTEMPTS . ' attempts');
	}

	/* Status (0: no answer), headers in lower case, body. */
	private function attempt(string $method, string $path, array $sent, ?string $body, ?string $file): array
	{
		$heard = [];
		$what = $file === null ? [CURLOPT_UPLOAD => false, CURLOPT_POSTFIELDS => $body] :
			[CURLOPT_UPLOAD => true, CURLOPT_INFILE => fopen($file, 'rb'), CURLOPT_INFILESIZE => filesize($file)];
		curl_reset($this->curl);
		curl_setopt_array($this->curl, [
			CURLOPT_URL => $this->url . $path,
			CURLOPT_CUSTOMREQUEST => $method,
			CURLOPT_HTTPHEADER => array_map(fn ($name) => "$name: $sent[$name]", array_keys($sent)),
			CURLOPT_RETURNTRANSFER => true,
			CURLOPT_TIMEOUT => $file === null ? self::SECONDS : self::FILE_SECONDS,
			CURLOPT_HEADERFUNCTION => function ($curl, $line) use (&$heard) {
				if (str_contains($line, ':')) {
					[$name, $value] = explode(':', $line, 2);
					$heard[strtolower($name)] = trim($value);
				}
				return strlen($line);
			},
		] + $what + ($this->ca ? [CURLOPT_CAINFO => $this->ca] : []));
		$text = curl_exec($this->curl);
		return [$text === false ? 0 : curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $heard, $text];
	}

	/* Does not run into the limit: with nothing left, the next request waits for the next minute. */
	private function pace(array $headers): void
	{
		if (($headers['x-ratelimit-remaining'] ?? '') === '0')
			$this->freeAt = (int) $headers['x-ratelimit-reset'];
	}

	/* An access token lives half an hour; the refresh token, which is good once, gets the next. */
	private function renewed(string $path, int $status): bool
	{
		if ($status !== 401 || $this->refreshToken === null || $path === '/auth/refresh')
			return false;
		[$token, $this->refreshToken] = [$this->refreshToken, null];
		$this->use($this->post('/auth/refresh', ['refresh_token' => $token]));
		return true;
	}

	private function use(array $tokens): void
	{
		$this->headers['Authorization'] = "Bearer {$tokens['access_token']}";
		$this->refreshToken = $tokens['refresh_token'];
	}

	/* Seconds: longer each time, and not the same for all who were cut off together. */
	private static function backoff(int $attempt): float
	{
		return random_int(500, 1000) / 1000 * min(30, 2 ** ($attempt - 1) / 2);
	}

	private static function log(string $line): void
	{
		fwrite(STDERR, date('c') . " $line\n");
	}
}
