# script/bench cost: processor time of a request, by process. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly cost_clients=64
readonly cost_requests=${BENCH_REQUESTS:-20000}
readonly cost_rounds=${BENCH_ROUNDS:-5}
readonly cost_seconds_max=300 # Of one measurement; the count of requests ends it before.

# What is asked for: a name of bench-load.lua, or a path as it is. The orders come before what is
# asked of them.
readonly cost_routes=(
    /livez product /products/popular balance "/api/v1/products" "/api/v1/products?q=%EC%83%81"
    hot spread charge placed_order user_orders user_payments cancel
    /readyz /metrics /status /status.json
)

# By what is billed, in the order of the columns.
readonly cost_processes=(nginx responder worker MariaDB memcached)

# start_side SIDE PROGRAM: a responder behind an nginx of its own, and a worker, which stands still
# unless its side is measured.
start_side() {
    local side=$1 program=$2 binary=$2
    start_responder "$side" group
    start_front "$side" "$side"
    with_settings "$folder" COMMERCE_WORK_SOCKET="$folder/work-$side.sock" COMMERCE_AUDIT_INTERVAL=0 \
        COMMERCE_NOTIFICATION_FILE="$folder/notifications-$side.jsonl" \
        start_part "worker-$side" "$folder/work-$side.sock" "$folder/worker-$side.log" \
        nice -n 5 "$program" work
    wait_for "worker-$side" "$commerce_start_seconds" is_ready "worker-$side"
    kill -STOP "${part_pid[worker-$side]}"
}

# bill SIDE: the nanoseconds of processor time so far that the kernel has billed to the processes of
# each part, with all of their threads, in the order of cost_processes.
bill() {
    local name session
    local -A processes=() # By session: each part has its own.
    while read -r session name; do
        processes[$session]+="$name "
    done < <(cat /proc/[0-9]*/stat 2>/dev/null |
        sed -E 's/^([0-9]+) .*\) . [0-9-]+ [0-9-]+ ([0-9-]+) .*/\2 \1/')
    for name in "nginx-$1" "commerce-$1" "worker-$1" MariaDB memcached; do
        for session in ${processes[${part_pid[$name]}]}; do
            cat "/proc/$session/task/"*/schedstat 2>/dev/null
        done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
    done | paste -s -d ' '
}

# cost_run SIDE WHAT: a line of cost.tsv: WHAT SIDE ANSWERS_PER_SECOND, then microseconds a request by
# process. What an order leaves for the worker belongs to it, so the worker finishes within the
# measurement.
cost_run() {
    local side=$1 what=$2 before after line rate answered refused errors options=()
    case $what in
    placed_order | cancel) options=(orders="$folder/placed-$side") ;;
    esac
    kill -CONT "${part_pid[worker-$side]}"
    await_drained "worker-$side"
    before=$(bill "$side")
    line=$(wrk_line "$side" "$cost_clients" "$cost_seconds_max" "$what" "$EPOCHREALTIME" \
        count="$cost_requests" "${options[@]}")
    await_drained "worker-$side"
    after=$(bill "$side")
    kill -STOP "${part_pid[worker-$side]}"
    read -r rate _ _ answered refused errors _ <<<"$line"
    [[ -n ${errors-} ]] || die "$what could not be measured"
    ((refused + errors == 0 && answered * 2 >= cost_requests)) ||
        die "$what: $answered answered, $refused refused, $errors errors"
    printf '%s\n' "$what" "$side" "$rate"
    paste -d ' ' <(tr ' ' '\n' <<<"$before") <(tr ' ' '\n' <<<"$after") |
        awk -v answered="$answered" '{ print ($2 - $1) / answered / 1000 }'
}

# Each order can be canceled once, so a round of cancels is preceded by orders.
place_orders() {
    local side=$1
    shop_sql <<<"SELECT id FROM orders WHERE status = 'PAID' ORDER BY id DESC
        LIMIT $((2 * cost_requests))" >"$folder/placed-$side"
}

# From cost.tsv: the medians of all rounds, and with a second side the medians of the ratios of each
# round's pair: of all processor time, of the responder's, and of the answers a second.
print_cost() {
    awk -F '\t' -v names="${cost_processes[*]}" -v pairs="$1" '
        function median(list, n,    value, i, j, key) {
            n = split(list, value, " ")
            for (i = 2; i <= n; i++) {
                key = value[i] + 0
                for (j = i - 1; j > 0 && value[j] + 0 > key; j--) value[j + 1] = value[j]
                value[j + 1] = key
            }
            return n % 2 ? value[(n + 1) / 2] : (value[n / 2] + value[n / 2 + 1]) / 2
        }
        BEGIN { processes = split(names, name, " ") }
        {
            if (!($1 in seen)) { seen[$1] = 1; order[++routes] = $1 }
            total = 0
            for (i = 1; i <= processes; i++) {
                total += $(i + 3)
                list[$1, $2, i] = list[$1, $2, i] " " $(i + 3)
            }
            list[$1, $2, "total"] = list[$1, $2, "total"] " " total
            round[$1, $2] = total
            responder[$1, $2] = $5
            rate[$1, $2] = $3
            if ($1 == last && $2 != side) {
                ratio[$1] = ratio[$1] " " round[$1, "here"] / round[$1, "other"]
                own[$1] = own[$1] " " responder[$1, "here"] / responder[$1, "other"]
                speed[$1] = speed[$1] " " rate[$1, "here"] / rate[$1, "other"]
                last = ""
            } else { last = $1; side = $2 }
        }
        END {
            printf "%-26s", "us of processor time"
            for (i = 1; i <= processes; i++) printf " %9s", name[i]
            printf " %9s%s\n", "all", pairs ? "     other    ratio  responder  answers/s" : ""
            for (r = 1; r <= routes; r++) {
                route = order[r]
                printf "%-26s", route
                for (i = 1; i <= processes; i++) printf " %9.1f", median(list[route, "here", i])
                printf " %9.1f", median(list[route, "here", "total"])
                if (pairs)
                    printf " %9.1f %8.3f %10.3f %10.3f", median(list[route, "other", "total"]),
                        median(ratio[route]), median(own[route]), median(speed[route])
                printf "\n"
            }
        }
    ' "$folder/cost.tsv"
}

# bench_cost [--against PROGRAM] [ROUTE...]
bench_cost() {
    local other="" sides=(here) run=() side what round
    if [[ ${1-} == --against ]]; then
        other=${2-}
        [[ -x $other ]] || die "there is no program at '$other'"
        sides=(here other)
        shift 2
    fi
    local routes=("${@:-${cost_routes[@]}}")
    (($#)) || routes=("${cost_routes[@]}")
    start_private_folder
    trap 'trap "" INT TERM HUP
        for side in here other; do kill -CONT "${part_pid[worker-$side]-$$}"; done
        stop_shops; stop_parts' EXIT
    build_commerce
    start_mariadb "$folder" --max-connections=500
    lay_ground
    start_memcached "$folder"
    start_side here "$binary"
    [[ -z $other ]] || start_side other "$other"
    : >"$folder/cost.tsv"
    for what in "${routes[@]}"; do
        for ((round = 0; round < cost_rounds; round++)); do
            run=("${sides[@]}")
            ((round % 2 == 0 || ${#sides[@]} == 1)) || run=(other here)
            for side in "${run[@]}"; do
                case $what in
                cancel)
                    wrk_line "$side" "$cost_clients" "$cost_seconds_max" spread "$EPOCHREALTIME" \
                        count=$((cost_requests * 3 / 2)) >/dev/null
                    place_orders "$side"
                    ;;
                placed_order) place_orders "$side" ;;
                esac
                cost_run "$side" "$what" | paste -s -d '\t' >>"$folder/cost.tsv"
            done
        done
        say "$what: measured" >&2
    done
    print_cost "${other:+1}"
}
