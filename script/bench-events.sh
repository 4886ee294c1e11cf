# script/bench events: how fast one worker delivers, and what it costs the orders. Sourced by
# script/bench.
# shellcheck shell=bash disable=SC2154

readonly events_clients=128
readonly events_rounds=${BENCH_ROUNDS:-9}
readonly events_seconds=${BENCH_SECONDS:-4}
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
    start_part receiver "$receiver_port" "$home/log" nginx -p "$home" -c "$home/nginx.conf" -g "$globals"
    wait_for receiver "$nginx_start_seconds" is_ready receiver
}

start_events_shop() {
    start_private_folder
    trap 'trap "" INT TERM HUP; kill -CONT "${part_pid[worker]-$$}"; stop_part worker TERM 25
        stop_shops; stop_part receiver QUIT 5; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder" --max-connections=500
    lay_ground
    start_memcached "$folder"
    start_responder group group
    start_front group group
    start_receiver
    with_settings "$folder" COMMERCE_WEBHOOKS_ALLOW_PRIVATE=1 \
        "$binary" webhooks add "http://127.0.0.1:$receiver_port/events" >/dev/null ||
        die "the endpoint could not be added"
}

# Whether an event waits for its deliveries, or a delivery for its end. Looked up by the indexes'
# first rows, as counting would be a load by itself.
something_waits() {
    [[ $(shop_sql <<<"SELECT EXISTS (SELECT 1 FROM outbox WHERE dispatched_at IS NULL)
                          OR EXISTS (SELECT 1 FROM delivery WHERE state = 'PENDING')") == 1 ]]
}

# await_drained WORKER: waits until it has delivered all that there is.
await_drained() {
    local worker=$1 deadline=$((SECONDS + drain_seconds_max))
    while something_waits; do
        is_running "$worker" ||
            die_with_log "${part_log[$worker]}" "the worker has ended by itself"
        ((SECONDS < deadline)) ||
            die "after $drain_seconds_max s there is still something to deliver"
        sleep 0.2
    done
}

# take_orders CLIENTS SECONDS: sets `orders_a_second` to how many were answered.
take_orders() {
    local refused errors
    read -r orders_a_second _ _ _ refused errors _ <<<"$(
        wrk_line group "$1" "$2" hot "$EPOCHREALTIME"
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
    shop_sql <<SQL | awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)], ms[int(NR * 0.99)] }'
SELECT TIMESTAMPDIFF(MICROSECOND, e.created_at, d.finished_at) / 1000 AS delay
  FROM outbox e JOIN delivery d ON d.event_id = e.id AND d.target_id > 0
 WHERE e.created_at >= '$1' ORDER BY delay
SQL
}

database_time() { shop_sql <<<"SELECT UTC_TIMESTAMP(6)"; }

# How fast a worker is when nothing else is to be done.
measure_worker() {
    local start
    take_orders "$events_clients" "$events_seconds"
    start=$(database_time)
    start_worker "$folder"
    await_drained worker
    drained=$(webhooks_a_second "$start")
}

# How soon an event arrives while orders come one at a time.
measure_delay() {
    local start
    start=$(database_time)
    take_orders 1 "$events_seconds"
    lone=$orders_a_second
    await_drained worker
    read -r p50 p99 <<<"$(delays_ms "$start")"
}

# What a worker with more to do than it can costs the orders: they are measured while it is stopped
# amid its work, and while it works, in turn. Lines of events.tsv: WITHOUT WITH DELIVERED
measure_cost() {
    local round start without
    for ((round = 0; round < events_rounds; round++)); do
        kill -STOP "${part_pid[worker]}"
        sleep 0.5 # For what the database still does for it.
        take_orders "$events_clients" "$events_seconds"
        without=$orders_a_second
        kill -CONT "${part_pid[worker]}"
        start=$(database_time)
        take_orders "$events_clients" "$events_seconds"
        printf '%s\t' "$without" "$orders_a_second"
        webhooks_a_second "$start"
    done
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
    awk -v drained="$drained" -v lone="$lone" -v p50="$p50" -v p99="$p99" \
        -v per_second_min="$events_per_second_min" -v share_min="$events_share_min" '
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
            cell[NR, 4] = $2 / $1
        }
        END {
            printf "webhooks a second, of what was left:   %8.0f   (%d: %s)\n",
                drained, per_second_min, verdict(drained >= per_second_min)
            printf "at %.0f orders a second, from commit to webhook: %.0f ms, p99 %.0f ms\n",
                lone, p50, p99
            printf "orders a second, as many as can be:    %8.0f\n", median(1)
            printf "the same beside the worker:            %8.0f   %.2f of it (%.2f: %s)\n",
                median(2), median(4), share_min, verdict(median(4) >= share_min)
            printf "webhooks a second beside them:         %8.0f\n", median(3)
        }
    ' "$folder/events.tsv"
}

bench_events() {
    local drained lone p50 p99
    start_events_shop
    take_orders "$events_clients" 2 # Nothing is warm before.
    measure_worker
    measure_delay
    measure_cost >"$folder/events.tsv"
    await_drained worker
    stop_part worker TERM 25
    prove_deliveries
    print_events
    ((load_failed == 0)) || die "some of it was wrong; what is said above"
}
