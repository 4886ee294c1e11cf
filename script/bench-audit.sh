# script/bench audit: what an audit of a large shop takes, and what it takes from the orders
# meanwhile. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly audit_products=${BENCH_PRODUCTS:-100000} audit_lines=${BENCH_LINES:-1000000}
readonly audit_clients=64 audited_pieces=3 audit_seconds=${BENCH_SECONDS:-2}

# audit_beside WHAT: orders per second while one audit is held up, into the file "plain", and while it
# goes on, into "audited", in turn until it has ended. Mostly it goes on: it has to look at the orders
# of both.
audit_beside() {
    local rate rest piece
    : >"$folder/plain" && : >"$folder/audited"
    start_part audit "$folder/audit.log" "$binary" audit
    while is_running audit; do
        kill -s STOP "${part_pid[audit]}" || break
        read -r rate rest <<<"$(orders_of "$1")"
        say "$rate" >>"$folder/plain"
        kill -s CONT "${part_pid[audit]}" || break
        for ((piece = 0; piece < audited_pieces; piece++)); do
            read -r rate rest <<<"$(orders_of "$1")"
            ! is_running audit || say "$rate" >>"$folder/audited"
        done
    done
    stop_part audit TERM 5
    grep -q 'nothing is wrong' "$folder/audit.log" ||
        die_with_log "$folder/audit.log" "the audit did not find that all is well"
}

orders_of() { wrk_line group "$audit_clients" "$audit_seconds" "$1" "$EPOCHREALTIME"; }

mean() { awk '{ sum += $1 } END { print sum / NR }'; }

bench_audit() {
    local what
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_shops; stop_part audit TERM 5; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder"
    lay_ground
    "$repository/sql/bulk.sh" "$audit_products" "$audit_lines" --no-defaults \
        --socket="$(mariadb_socket "$folder")" --user="$(id -un)" "$database" | tail -n 1
    # As if the events' table had been there before the sales: theirs are looked for, too.
    shop_sql <<<"UPDATE schema_migrations SET applied_at = applied_at - INTERVAL 4 DAY"
    start_memcached "$folder"
    start_responder group group
    start_front group group
    say "an idle shop, $audit_products products, $audit_lines order lines:"
    "$binary" audit || die "the books of a new shop are wrong"
    for what in hot spread; do
        wrk_line group "$audit_clients" "$warm_up_seconds" "$what" warm >/dev/null
        audit_beside "$what"
        awk -v what="$what" -v seconds="$audit_seconds" -v pieces="$(wc -l <"$folder/audited")" \
            -v plain="$(mean <"$folder/plain")" -v audited="$(mean <"$folder/audited")" 'BEGIN {
                printf "%s: %.0f orders/s, %.0f during an audit of %.0f s: %.3f\n",
                    what, plain, audited, pieces * seconds, audited / plain }'
    done
    await_quiet
    "$binary" audit || die "the books are wrong"
}
