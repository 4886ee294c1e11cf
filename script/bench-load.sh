# script/bench load: orders and charges over HTTP, strategy against strategy. Sourced by
# script/bench.
# shellcheck shell=bash disable=SC2154

# Fronts, in the order of the tables. `two` is `group` and `second` behind one nginx.
readonly load_fronts=(group for-update version two)
readonly load_clients=(1 32 128 256)
readonly load_rounds=${BENCH_ROUNDS:-3}
readonly load_seconds=${BENCH_SECONDS:-4}
# shellcheck disable=SC2034 # bench-report.sh reads it.
readonly customers_ms_max=34.8 # A tenth of the 348 ms that the customer measured.
readonly customers_rounds=9

load_failed=0

# Columns of load.tsv: SCENARIO CLIENTS FRONT PER_SECOND P50 P99 ANSWERED NON_2XX ERRORS CONFLICTS
# RETRIES BATCHES COMMANDS

# Says what does not hold; the load goes on, and ends with 1.
wrong() {
    say "WRONG: $*" >&2
    load_failed=1
}

start_load_shops() {
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_shops; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder" --max-connections=500
    lay_ground
    start_memcached "$folder"
    start_responder group group
    start_responder second group
    start_responder for-update for-update
    start_responder version version
    start_front group group
    start_front second second
    start_front for-update for-update
    start_front version version
    start_front two group second
}

# wrk_line FRONT CLIENTS SECONDS ARGUMENT...: what bench-load.lua measured.
wrk_line() {
    local front=$1 clients=$2 seconds=$3
    shift 3
    foreground wrk -t $((clients < threads ? clients : threads)) -c "$clients" -d "${seconds}s" \
        --timeout 10s -s "$repository/script/bench-load.lua" "$(url "$front")" -- "$@" |
        sed -n 's/^measured //p'
}

# ab_line FRONT CLIENTS SECONDS: the same with Apache Bench, whose buyers are all one user.
ab_line() {
    local front=$1 clients=$2 seconds=$3
    foreground ab -q -k -l -r -s 10 -t "$seconds" -n 100000000 -c "$clients" -e "$folder/ab.csv" \
        -T application/json -p "$folder/order.json" "$(url "$front")/api/v1/orders" \
        >"$folder/ab.txt"
    awk -F, '
        NR == FNR { if ($1 == 50) p50 = $2; if ($1 == 99) p99 = $2; next }
        { n = split($0, word, " ") }
        /^Requests per second/ { rate = word[4] }
        /^Complete requests/ { complete = word[3] }
        /^Failed requests/ { failed = word[3] }
        /^Non-2xx/ { refused = word[3] }
        END { print rate, p50, p99, complete, refused + 0, failed + 0, complete }
    ' "$folder/ab.csv" "$folder/ab.txt"
}

# run_load SCENARIO CLIENTS FRONT SECONDS: one run, audited, as a line of load.tsv.
run_load() {
    local scenario=$1 clients=$2 front=$3 seconds=$4 books line before after
    local rate p50 p99 answered refused errors sent
    read -ra books <<<"$(open_books)"
    read -ra before <<<"$(ledger_metrics "$front")"
    case $scenario in
    ab) line=$(ab_line "$front" "$clients" "$seconds") ;;
    two) line=$(wrk_line "$front" "$clients" "$seconds" hot "$EPOCHREALTIME") ;;
    *) line=$(wrk_line "$front" "$clients" "$seconds" "$scenario" "$EPOCHREALTIME") ;;
    esac
    read -r rate p50 p99 answered refused errors sent <<<"$line"
    [[ -n ${sent-} ]] || die "no measurement of $scenario, $front with $clients clients"
    await_quiet
    read -ra after <<<"$(ledger_metrics "$front")"
    # Who is cut off at the end has sent a request and seen no answer: at most one a client. What
    # ab has sent is not known, only what was answered.
    [[ $scenario != ab ]] || sent=$((sent + clients))
    audit "$scenario, $front, $clients clients" "${books[*]}" \
        $((sent - clients - refused - errors)) "$sent"
    printf '%s\t' "$scenario" "$clients" "$front" "$rate" "$p50" "$p99" "$answered" "$refused" \
        "$errors" $((after[0] - before[0])) $((after[1] - before[1])) $((after[2] - before[2]))
    printf '%s\n' $((after[3] - before[3]))
    if [[ $front != version ]] && ((refused + errors > 0)); then
        wrong "$scenario, $front, $clients clients: $refused refused, $errors errors"
    fi
}

# audit WHAT BOOKS WRITES_MIN WRITES_MAX
audit() {
    local what=$1 min=$3 max=$4 books closing fault orders charges
    read -ra books <<<"$2"
    mapfile -t closing <<<"$(close_books "${books[@]}")"
    read -r orders charges <<<"${closing[0]}"
    for fault in "${closing[@]:1}"; do wrong "$what: $fault"; done
    ((orders + charges >= min)) ||
        wrong "$what: answered at least $min, and the database has $((orders + charges))"
    ((orders + charges <= max)) ||
        wrong "$what: sent $max, and the database has $((orders + charges))"
}

# Every single order number that was answered is looked for in the database.
prove_answers() {
    local front=$1 books
    read -ra books <<<"$(open_books)"
    wrk_line "$front" 64 2 hot proof answered="$folder/answered" >/dev/null
    await_quiet
    sort "$folder/answered" >"$folder/answered.sorted"
    shop_sql <<<"SELECT id FROM orders WHERE id > ${books[2]}" | sort >"$folder/stored.sorted"
    [[ -s $folder/answered.sorted ]] || wrong "$front: no order was answered"
    [[ -z $(uniq -d "$folder/answered.sorted") ]] || wrong "$front: a number was answered twice"
    [[ -z $(comm -23 "$folder/answered.sorted" "$folder/stored.sorted") ]] ||
        wrong "$front: an answered order is not in the database"
    say "$front: $(wc -l <"$folder/answered.sorted") answered orders were looked up one by one"
}

# scenario NAME CLIENTS FRONT...: rounds of all fronts in turn. One client alone has more rounds,
# and shorter ones, because its ratio is near 1.
scenario() {
    local name=$1 clients=$2 rounds=$load_rounds seconds=$load_seconds round front
    shift 2
    if ((clients == 1 && seconds > 1)); then
        rounds=$((2 * rounds))
        seconds=$((seconds / 2))
    fi
    say "$name, $clients clients: $*"
    for ((round = 0; round < rounds; round++)); do
        for front; do run_load "$name" "$clients" "$front" "$seconds" >>"$folder/load.tsv"; done
    done
}

# The body of an order of one unit: order_of PRODUCT
order_of() {
    printf '[{"user_id":%d,"products":[{"id":%d,"quantity":1}],"paymentAmount":%d}]' \
        "$ground_user_first" "$1" "$ground_price"
}

# The customer's test: 100 orders of 100, 32 at a time. Prints FRONT MILLISECONDS, round by round.
customers_test() {
    local round front product=$((ground_product_first + 1)) sold ms
    order_of "$product" >"$folder/hundred.json"
    for ((round = 0; round < customers_rounds; round++)); do
        for front in group for-update; do
            shop_sql <<<"UPDATE stock SET quantity = 100, version = version + 1
                WHERE product_id = $product"
            foreground ab -q -k -l -n 100 -c 32 -T application/json -p "$folder/hundred.json" \
                "$(url "$front")/api/v1/orders" >"$folder/ab.txt"
            sold=$(shop_sql <<<"SELECT 100 - quantity FROM stock WHERE product_id = $product")
            if [[ $sold != 100 ]] || grep -q '^Non-2xx' "$folder/ab.txt"; then
                wrong "the customer's test, $front: $sold of 100 were sold"
            fi
            ms=$(awk '/^Time taken/ { print $5 * 1000 }' "$folder/ab.txt")
            say "$front $ms"
        done
    done
    shop_sql <<<"UPDATE stock SET quantity = $ground_stock, version = version + 1
        WHERE product_id = $product"
    reconcile
}

bench_load() {
    local clients what front
    start_load_shops
    order_of "$ground_product_first" >"$folder/order.json"
    : >"$folder/load.tsv"
    for front in "${load_fronts[@]}"; do
        for what in hot spread; do wrk_line "$front" 32 1 "$what" warm >/dev/null; done
    done
    await_quiet
    customers_test >"$folder/customers-test"
    prove_answers group
    prove_answers two
    for what in hot spread mixed charge; do
        empty_books
        for clients in "${load_clients[@]}"; do scenario "$what" "$clients" group for-update; done
        [[ $what == hot ]] || continue
        for clients in 32 128; do scenario hot "$clients" version; done
        scenario ab 128 group for-update
        scenario two 128 group two
    done
    print_load
    ((load_failed == 0)) || die "some of it was wrong; what is said above"
}
