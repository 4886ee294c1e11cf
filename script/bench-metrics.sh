# script/bench metrics: what counting costs. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly metrics_rounds=${BENCH_ROUNDS:-15}
readonly metrics_clients=64

# Processor time of a responder so far, in ticks, of user and system.
processor_ticks() {
    sed 's/.*) //' "/proc/${part_pid[commerce-$1]}/stat" | awk '{ print $12 + $13 }'
}

# metrics_run FRONT WHAT: answers a second to a path, or to orders of a kind, and the ticks of the
# responder's processor time for a million of them. An answer other than 2xx ends the bench.
metrics_run() {
    local front=$1 what=$2 line rate timeouts=0 refused errors ticks
    ticks=$(processor_ticks "$front")
    case $what in
    /*)
        line=$(foreground wrk -t "$threads" -c "$metrics_clients" -d "${measure_seconds}s" \
            --timeout 5s -s "$repository/script/wrk.lua" "$(url "$front")$what" |
            sed -n 's/^measured //p')
        read -r rate _ _ timeouts refused errors <<<"$line"
        ;;
    *)
        line=$(wrk_line "$front" "$metrics_clients" "$measure_seconds" "$what" "$EPOCHREALTIME")
        read -r rate _ _ _ refused errors _ <<<"$line"
        ;;
    esac
    ((timeouts + refused + errors == 0)) || die "$what: $line"
    awk -v rate="$rate" -v seconds="$measure_seconds" \
        -v ticks=$(($(processor_ticks "$front") - ticks)) \
        'BEGIN { print rate, ticks / (rate * seconds) * 1e6 }'
}

# As Prometheus asks, only fifteen times as often.
start_scraping() {
    # shellcheck disable=SC2016 # For the shell that runs it.
    start_part scraper "" "$folder/scraper.log" bash -c 'while sleep 1; do
        curl --disable --silent --fail --max-time 5 --noproxy "*" --output /dev/null "$1/metrics" || exit 1
    done' scraper "$(url counted)"
}

# quarters FILE COLUMN: the median, and what a quarter is below and above.
quarters() {
    awk -v column="$2" '{ print $column }' "$1" | sort -n | awk '{ ratio[NR] = $1 } END {
        printf "%.3f (%.3f to %.3f)", ratio[int((NR + 1) / 2)], ratio[int((NR + 3) / 4)],
            ratio[int((3 * NR + 1) / 4)] }'
}

# The same program twice, once without a registry behind swift-metrics, in turn. What a round shows are
# the ratios of its two neighbours, so that a machine that gets slower does not count. Processor time
# tells more than throughput where others use the machine, too.
bench_metrics() {
    local what round front run=()
    start_private_folder
    trap 'trap "" INT TERM HUP; stop_part scraper KILL 5; stop_shops; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder"
    lay_ground
    start_memcached "$folder"
    start_responder counted group
    start_responder silent group COMMERCE_BENCH_WITHOUT_METRICS=1
    start_front counted counted
    start_front silent silent
    start_scraping
    for what in /livez "/products/$ground_product_first" hot spread; do
        for front in counted silent; do metrics_run "$front" "$what" >/dev/null; done # Warm.
        : >"$folder/ratios"
        for ((round = 0; round < metrics_rounds; round++)); do
            if ((round % 2)); then run=(silent counted); else run=(counted silent); fi
            for front in "${run[@]}"; do metrics_run "$front" "$what" >"$folder/run-$front"; done
            paste -d ' ' "$folder/run-counted" "$folder/run-silent" |
                awk '{ print $1 / $3, $2 / $4 }' >>"$folder/ratios"
        done
        is_running scraper || die_with_log "$folder/scraper.log" "the metrics were not to be had"
        say "$what: with metrics answers a second are $(quarters "$folder/ratios" 1) of those" \
            "without, processor time for each $(quarters "$folder/ratios" 2)"
    done
}
