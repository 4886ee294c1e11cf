# script/bench audit: what an audit of a large shop takes, and what it takes from the orders
# meanwhile. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly audit_products=${BENCH_PRODUCTS:-100000} audit_lines=${BENCH_LINES:-1000000}
readonly audit_clients=64 audit_seconds=${BENCH_SECONDS:-2} audit_rounds=${BENCH_ROUNDS:-90}
readonly audit_load_seconds_max=3600
readonly audit_hold_tries=500 # 5 s and more; a slice takes a fifth of a second at most.

# The number of the call that rests, as /proc/PID/syscall begins with it: the kernel's tables.
clock_nanosleep=230
[[ $(uname -m) != aarch64 ]] || clock_nanosleep=115

# A new shop with as many rows as are asked for, which nobody has bought from yet.
start_audited_shop() {
    stop_shops
    stop_parts
    rm -rf "$folder/mariadb"
    start_mariadb "$folder"
    lay_ground
    set_owner_options "$folder"
    "$repository/sql/bulk.sh" "$audit_products" "$audit_lines" "${owner_options[@]}" "$database" |
        tail -n 1
    # As if the events' table had been there before the sales: theirs are looked for, too.
    shop_sql <<<"UPDATE schema_migrations SET applied_at = applied_at - INTERVAL 4 DAY"
    start_memcached "$folder"
    start_responder group group
    start_front group group
}

# start_orders WHAT: clients who order until stop_orders.
start_orders() {
    start_part load "" "$folder/load.log" wrk -t "$threads" -c "$audit_clients" \
        -d "${audit_load_seconds_max}s" --timeout 10s -s "$repository/script/bench-load.lua" \
        "$(url group)" -- "$1" audit
    sleep "$warm_up_seconds"
}

stop_orders() {
    is_running load || die_with_log "$folder/load.log" "the orders have come to an end"
    stop_part load INT 15
    awk '$1 == "measured" { ended = 1; failed = $6 + $7 } END { exit !ended || failed }' \
        "$folder/load.log" || die_with_log "$folder/load.log" "some orders failed"
}

start_audit() { with_settings "$folder" start_part audit "" "$folder/audit.log" "$binary" audit; }

end_audit() {
    stop_part audit TERM 5
    grep -q 'nothing is wrong' "$folder/audit.log" ||
        die_with_log "$folder/audit.log" "the audit did not find that all is well"
}

# Holds the audit up while it rests; ends with 1 if it has ended. Amid a slice it would take the time
# for work, and rest ten times as long.
hold_audit() {
    local call rest tries
    for ((tries = 0; tries < audit_hold_tries; tries++)); do
        kill -s STOP "${part_pid[audit]}" 2>/dev/null || return 1
        read -r call rest 2>/dev/null <"/proc/${part_pid[audit]}/syscall" || return 1
        [[ $call != "$clock_nanosleep" ]] || return 0
        go_on_with_audit || return 1
        sleep 0.01
    done
    die_with_log "$folder/audit.log" "the audit never rests; COMMERCE_AUDIT_BUSY_PERCENT has to be below 100"
}

go_on_with_audit() { kill -s CONT "${part_pid[audit]}" 2>/dev/null; }

# Orders per second from now on, for a while.
orders_per_second() {
    local begin=${EPOCHREALTIME/./} before rest end after
    read -r rest rest rest before <<<"$(ledger_metrics group)"
    sleep "$audit_seconds"
    end=${EPOCHREALTIME/./}
    read -r rest rest rest after <<<"$(ledger_metrics group)"
    say "$(((after - before) * 1000000 / (end - begin)))"
}

# compare_orders WHAT: orders per second with one audit after the other, and while it is held up, in
# turn. A round is held against those before and after it, as a shop that grows becomes slower.
compare_orders() {
    local rate rounds=0 tries
    : >"$folder/rounds"
    start_audit
    # One more than are compared: the first has none before it. An audit that ends spoils its round.
    for ((tries = 0; rounds <= audit_rounds && tries < 3 * (audit_rounds + 1); tries++)); do
        if ! hold_audit; then
            end_audit
            start_audit
            continue
        fi
        rate=$(orders_per_second)
        go_on_with_audit
        rate+=" $(orders_per_second)"
        is_running audit || continue
        say "$rate" >>"$folder/rounds"
        rounds=$((rounds + 1))
    done
    ((rounds > audit_rounds)) || die "audits end too soon to be compared; more BENCH_LINES help"
    stop_part audit TERM 5
    awk -v what="$1" '
        NR > 1 {
            plain = (before + $1) / 2
            rounds++; plains += plain; audited += during
            square += (during - plain) ^ 2
        }
        { before = $1; during = $2 }
        END {
            ratio = audited / plains
            off = sqrt(square / rounds - ((audited - plains) / rounds) ^ 2)
            printf "%s: %.0f orders a second, beside audits %.0f: %.3f of it (%d rounds; error %.3f)\n",
                what, plains / rounds, audited / rounds, ratio, rounds,
                off / sqrt(rounds) / (plains / rounds)
        }' "$folder/rounds"
}

bench_audit() {
    local what
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_part load INT 15; stop_shops; stop_part audit TERM 5; stop_parts' EXIT
    build_commerce
    for what in hot spread; do
        start_audited_shop
        say "an idle shop, $audit_products products, $audit_lines order lines:"
        with_settings "$folder" "$binary" audit || die "the books of a new shop are wrong"
        say "the same beside orders, $what:"
        start_orders "$what"
        start_audit
        while is_running audit && is_running load; do sleep 0.1; done
        end_audit
        cat "$folder/audit.log"
        compare_orders "$what"
        stop_orders
        await_quiet
        with_settings "$folder" "$binary" audit || die "the books are wrong"
    done
}
