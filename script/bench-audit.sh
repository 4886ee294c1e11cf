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

# compare_pieces WHAT: what the audit leaves of the orders. Those of a round are held against those
# before and after it, as a shop that grows becomes slower.
compare_pieces() {
    paste "$folder/plain" <(paste - - - <"$folder/audited") |
        awk -v what="$1" -v seconds="$((audit_seconds * $(wc -l <"$folder/audited")))" '
            rounds > 0 { plain += (before + $1) / 2; audited += during }
            NF < 4 { exit }
            { rounds++; before = $1; during = ($2 + $3 + $4) / 3 }
            END {
                if (plain == 0) { print what ": the audit was too short to compare"; exit 1 }
                printf "%s: %.3f of the orders during an audit of %d s (%d rounds)\n",
                    what, audited / plain, seconds, rounds
            }'
}

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
        compare_pieces "$what"
    done
    await_quiet
    "$binary" audit || die "the books are wrong"
}
