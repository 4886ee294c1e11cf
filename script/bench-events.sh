# script/bench events: how fast one worker delivers, and what it costs the orders. Sourced by
# script/bench.
# shellcheck shell=bash disable=SC2154

readonly events_clients=128
readonly events_rounds=${BENCH_ROUNDS:-3}
readonly events_seconds=${BENCH_SECONDS:-8}
readonly events_per_second_min=2000
readonly events_share_min=0.90 # Of the orders a second without a worker.
readonly drain_seconds_max=600

# A receiver of webhooks that costs as little as can be: nginx, which takes each and notes its id.
start_receiver() {
    local home=$folder/receiver globals='daemon off;'
    receiver_port=$(free_port)
    mkdir -p "$home"
    rm -f "$home/ids"
    ((EUID)) || globals+=' user root;'
    cat >"$home/nginx.conf" <<CONFIGURATION
worker_processes 1;
pid $home/nginx.pid;
error_log $home/error.log;
events { worker_connections 256; }
http {
    log_format id '\$http_webhook_id';
    access_log $home/ids id buffer=256k flush=1s;
    client_body_temp_path $home/body;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:$receiver_port;
        location / { return 204; }
    }
}
CONFIGURATION
    start_part receiver "$home/log" nginx -p "$home" -c "$home/nginx.conf" -g "$globals"
    wait_for receiver "$nginx_start_seconds" port_is_taken "$receiver_port"
}

start_events_shop() {
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_part worker TERM 25; stop_shops; stop_part receiver QUIT 5
        stop_parts' EXIT
    build_commerce
    start_mariadb "$folder" --max-connections=500
    lay_ground
    start_memcached "$folder"
    start_responder group group
    start_front group group
    start_receiver
    COMMERCE_WEBHOOKS_ALLOW_PRIVATE=1 "$binary" webhooks add "http://127.0.0.1:$receiver_port/events" >/dev/null ||
        die "the endpoint could not be added"
}

# What waits: events without deliveries, and deliveries.
waiting() {
    shop_sql <<<"SELECT (SELECT COUNT(*) FROM outbox WHERE dispatched_at IS NULL)
                      + (SELECT COUNT(*) FROM delivery WHERE state = 'PENDING')"
}

await_drained() {
    local deadline=$((SECONDS + drain_seconds_max))
    until [[ $(waiting) == 0 ]]; do
        is_running worker || die_with_log "$folder/worker.log" "the worker has ended by itself"
        ((SECONDS < deadline)) || die "after $drain_seconds_max s there is still something to deliver"
        sleep 0.2
    done
}

# Orders for some seconds; sets `orders_a_second` to how many were answered.
take_orders() {
    local refused errors
    read -r orders_a_second _ _ _ refused errors _ <<<"$(
        wrk_line group "$events_clients" "$1" hot "$EPOCHREALTIME"
    )"
    [[ -n ${errors-} ]] || die "the orders could not be measured"
    ((refused + errors == 0)) || wrong "orders: $refused refused, $errors errors"
}

# Webhooks delivered since TIME, a second, from the first to the last: webhooks_a_second TIME
webhooks_a_second() {
    shop_sql <<<"SELECT COUNT(*) / (TIMESTAMPDIFF(MICROSECOND, MIN(finished_at), MAX(finished_at))
                        / 1000000) FROM delivery
                  WHERE target_id > 0 AND state = 'DELIVERED' AND finished_at >= '$1'"
}

# The median and the 99th percentile of the milliseconds from the commit to the webhook, of the
# events since TIME: delays_ms TIME
delays_ms() {
    shop_sql <<SQL | awk '{ delay[NR] = $1 } END { print delay[int((NR + 1) / 2)], delay[int(NR * 0.99)] }'
SELECT TIMESTAMPDIFF(MICROSECOND, e.created_at, d.finished_at) / 1000 AS delay
  FROM outbox e JOIN delivery d ON d.event_id = e.id AND d.target_id > 0
 WHERE e.created_at >= '$1' ORDER BY delay
SQL
}

database_time() { shop_sql <<<"SELECT UTC_TIMESTAMP(6)"; }

# One round: orders without a worker; a worker for all that has come together; orders beside it.
events_round() {
    local without with start drained beside p50 p99
    take_orders "$events_seconds"
    without=$orders_a_second
    start=$(database_time)
    start_worker "$folder"
    await_drained
    drained=$(webhooks_a_second "$start")
    start=$(database_time)
    take_orders "$events_seconds"
    with=$orders_a_second
    beside=$(webhooks_a_second "$start")
    await_drained
    read -r p50 p99 <<<"$(delays_ms "$start")"
    stop_part worker TERM 25
    printf '%s\t' "$without" "$with" "$drained" "$beside" "$p50"
    printf '%s\n' "$p99"
}

# Every event has reached the receiver, whatever the worker believes.
prove_deliveries() {
    stop_part receiver QUIT 5 # It writes what it still has.
    sort -u "$folder/receiver/ids" >"$folder/receiver/ids.sorted"
    shop_sql <<<"SELECT id FROM outbox" | sort >"$folder/events.sorted"
    [[ -s $folder/events.sorted ]] || wrong "there were no events"
    cmp -s "$folder/receiver/ids.sorted" "$folder/events.sorted" ||
        wrong "the receiver's ids are not those of the events"
    say "$(wc -l <"$folder/events.sorted") events were received," \
        "$(($(wc -l <"$folder/receiver/ids") - $(wc -l <"$folder/events.sorted"))) of them again"
}

# Medians of the rounds, held against the targets.
print_events() {
    awk -v per_second_min="$events_per_second_min" -v share_min="$events_share_min" '
        function median(column,    n, i, j, key, value) {
            for (n = 1; n <= NR; n++) value[n] = cell[n, column]
            for (i = 2; i <= NR; i++) {
                key = value[i]
                for (j = i - 1; j > 0 && value[j] > key; j--) value[j + 1] = value[j]
                value[j + 1] = key
            }
            return NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
        }
        function verdict(is_met) { return is_met ? "met" : "below" }
        {
            for (i = 1; i <= NF; i++) cell[NR, i] = $i
            cell[NR, 7] = $2 / $1
        }
        END {
            printf "orders a second, without a worker:     %8.0f\n", median(1)
            printf "orders a second, beside one:           %8.0f   %.2f of it (%.2f: %s)\n",
                median(2), median(7), share_min, verdict(median(7) >= share_min)
            printf "webhooks a second beside the orders:   %8.0f\n", median(4)
            printf "webhooks a second without orders:      %8.0f   (%d: %s)\n",
                median(3), per_second_min, verdict(median(3) >= per_second_min)
            printf "from commit to webhook, beside, ms:    %8.0f   (p99 %.0f)\n",
                median(5), median(6)
        }
    ' "$folder/events.tsv"
}

bench_events() {
    local round
    start_events_shop
    take_orders 2 # Nothing is warm before.
    start_worker "$folder"
    await_drained
    stop_part worker TERM 25
    : >"$folder/events.tsv"
    for ((round = 0; round < events_rounds; round++)); do
        events_round >>"$folder/events.tsv"
    done
    prove_deliveries
    print_events
    ((load_failed == 0)) || die "some of it was wrong; what is said above"
}
