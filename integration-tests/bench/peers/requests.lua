-- One request over and over for wrk: a GET, or a POST of the file SOUK_BENCH_BODY.
local body = os.getenv("SOUK_BENCH_BODY")

if body and body ~= "" then
	local file = io.open(body)
	wrk.method, wrk.body = "POST", file:read("*a")
	wrk.headers["Content-Type"] = "application/json"
end

function done(summary, latency)
	local failed = summary.errors
	io.stderr:write(string.format('{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "failed": %d}\n', summary.requests,
		summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
		failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
