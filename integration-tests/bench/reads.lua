-- Reads for wrk: the lines of SOUK_BENCH_READS, each a path and, after a space, the token that goes with it, one after the other.
local requests, turn = {}, 0

function init()
	for line in io.lines(os.getenv("SOUK_BENCH_READS")) do
		local path, token = line:match("^(%S+) ?(%S*)$")
		requests[#requests + 1] = wrk.format("GET", path, token ~= "" and { Authorization = "Bearer " .. token } or {})
	end
end

function request()
	turn = turn % #requests + 1
	return requests[turn]
end

function done(summary, latency)
	local failed = summary.errors
	io.stderr:write(string.format(
		'{"requests": %d, "seconds": %.3f, "p50_ms": %.2f, "p99_ms": %.2f, "failed": %d, "bytes": %d}\n', summary.requests,
		summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
		failed.connect + failed.read + failed.write + failed.status + failed.timeout, summary.bytes))
end
