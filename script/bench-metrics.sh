# script/bench metrics: what counting costs. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly metrics_rounds=${BENCH_ROUNDS:-15}
readonly metrics_clients=64

# metrics_rate FRONT WHAT: answers a second to a path, or to orders of a kind. An answer other than 2xx
# ends the bench.
metrics_rate() {
    local front=$1 what=$2 line rate p50 p99 timeouts refused errors rest
    case $what in
    /*) line=$(foreground wrk -t "$threads" -c "$metrics_clients" -d "${measure_seconds}s" \
        --timeout 5s -s "$repository/script/wrk.lua" "$(url "$front")$what" |
        sed -n 's/^measured //p') && read -r rate p50 p99 timeouts refused errors <<<"$line" ;;
    *) line=$(wrk_line "$front" "$metrics_clients" "$measure_seconds" "$what" "$EPOCHREALTIME") &&
        read -r rate p50 p99 rest refused errors rest <<<"$line" && timeouts=0 ;;
    esac
    ((timeouts + refused + errors == 0)) || die "$what: $line"
    say "$rate"
}

# As Prometheus asks, only fifteen times as often.
start_scraping() {
    # shellcheck disable=SC2016 # For the shell that runs it.
    start_part scraper "$folder/scraper.log" bash -c 'while sleep 1; do
        curl --silent --fail --max-time 5 --noproxy "*" --output /dev/null "$1/metrics" || exit 1
    done' scraper "$(url counted)"
}

# The same program twice, once without a registry behind swift-metrics, in turn. What a round shows is
# the ratio of its two neighbours, so that a machine that gets slower does not count.
bench_metrics() {
    local what round counted silent
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_part scraper KILL 5; stop_shops; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder"
    lay_ground
    start_memcached "$folder"
    start_responder counted group
    COMMERCE_BENCH_WITHOUT_METRICS=1 start_responder silent group
    start_front counted counted
    start_front silent silent
    start_scraping
    for what in /livez "/products/$ground_product_first" hot spread; do
        for round in counted silent; do metrics_rate "$round" "$what" >/dev/null; done # Warm.
        : >"$folder/ratios"
        for ((round = 0; round < metrics_rounds; round++)); do
            if ((round % 2)); then
                silent=$(metrics_rate silent "$what") counted=$(metrics_rate counted "$what")
            else
                counted=$(metrics_rate counted "$what") silent=$(metrics_rate silent "$what")
            fi
            awk -v counted="$counted" -v silent="$silent" \
                'BEGIN { print counted / silent }' >>"$folder/ratios"
        done
        is_running scraper || die_with_log "$folder/scraper.log" "the metrics were not to be had"
        sort -n "$folder/ratios" | awk -v what="$what" '{ ratio[NR] = $1 } END {
            printf "%s: with metrics %.3f of without (quarters %.3f to %.3f)\n", what,
                ratio[int((NR + 1) / 2)], ratio[int((NR + 3) / 4)], ratio[int((3 * NR + 1) / 4)] }'
    done
}
