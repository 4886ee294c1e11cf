# script/bench audit: what an audit of a large shop takes, and what it takes from the orders
# meanwhile. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly audit_products=${BENCH_PRODUCTS:-100000} audit_lines=${BENCH_LINES:-1000000}
readonly audit_rounds=${BENCH_ROUNDS:-5}
readonly audit_clients=64

# Audits without end, as if COMMERCE_AUDIT_INTERVAL were nothing.
start_audits() {
    # shellcheck disable=SC2016 # For the shell that runs it.
    start_part audits "$folder/audits.log" bash -c \
        'trap "kill \$!; exit 0" TERM; while "$1" audit & wait $!; do :; done' audits "$binary"
}

# audited_rate FRONT WHAT [AUDITED]: orders answered a second.
audited_rate() {
    local rate rest
    [[ -z ${3-} ]] || start_audits
    read -r rate rest <<<"$(wrk_line "$1" "$audit_clients" "$measure_seconds" "$2" "$EPOCHREALTIME")"
    if [[ -n ${3-} ]]; then
        is_running audits || die_with_log "$folder/audits.log" "an audit found something wrong"
        stop_part audits TERM 5
    fi
    say "$rate"
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

bench_audit() {
    local what round
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_shops; stop_part audits TERM 5; stop_parts' EXIT
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
        : >"$folder/plain" && : >"$folder/audited"
        for ((round = 0; round < audit_rounds; round++)); do
            audited_rate group "$what" >>"$folder/plain"
            audited_rate group "$what" audited >>"$folder/audited"
        done
        awk -v what="$what" -v plain="$(median <"$folder/plain")" \
            -v audited="$(median <"$folder/audited")" 'BEGIN {
                printf "%s: %.0f orders/s, %.0f during audits: %.3f\n",
                    what, plain, audited, audited / plain }'
    done
    await_quiet
    "$binary" audit || die "the books are wrong"
}
