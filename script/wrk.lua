-- Prints what script/bench reads, in one line:
-- measured REQUESTS_PER_SECOND P50_MS P99_MS TIMEOUTS NON_2XX SOCKET_ERRORS
function done(summary, latency, requests)
    local errors = summary.errors
    print(string.format("measured %.1f %.2f %.2f %d %d %d",
        summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.timeout, errors.status, errors.connect + errors.read + errors.write))
end
