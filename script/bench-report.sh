# The tables and charts of script/bench load. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

# load.tsv with a line a scenario, number of clients and front: medians of PER_SECOND, P50 and P99
# over the rounds, and the sums of the rest.
load_medians() {
    awk '
        function median(list, n,    value, i, j, key) {
            n = split(list, value, " ")
            for (i = 2; i <= n; i++) {
                key = value[i] + 0
                for (j = i - 1; j > 0 && value[j] + 0 > key; j--) value[j + 1] = value[j]
                value[j + 1] = key
            }
            return n % 2 ? value[(n + 1) / 2] : (value[n / 2] + value[n / 2 + 1]) / 2
        }
        {
            cell = $1 "\t" $2 "\t" $3
            if (!(cell in rate)) order[++cells] = cell
            rate[cell] = rate[cell] " " $4
            p50[cell] = p50[cell] " " $5
            p99[cell] = p99[cell] " " $6
            for (column = 7; column <= 13; column++) sum[cell, column] += $column
        }
        END {
            for (i = 1; i <= cells; i++) {
                cell = order[i]
                printf "%s\t%.1f\t%.3f\t%.3f", cell, median(rate[cell]), median(p50[cell]),
                    median(p99[cell])
                for (column = 7; column <= 13; column++) printf "\t%d", sum[cell, column]
                printf "\n"
            }
        }
    ' "$folder/load.tsv" >"$folder/load-medians.tsv"
}

# Ratios are to FOR UPDATE of the same scenario and clients; of `two`, to one process.
print_load_table() {
    awk '
        { name = $1 " " $2; if ($3 == ($1 == "two" ? "group" : "for-update")) base[name] = $4 }
        { line[NR] = $0; key[NR] = name }
        END {
            form = "%-8s %7s  %-10s %10s %9s %9s %7s %9s %8s %7s %9s %9s %7s\n"
            printf form, "scenario", "clients", "ledger", "answers/s", "p50 ms", "p99 ms", "ratio",
                "answered", "non-2xx", "errors", "conflicts", "retries", "batch"
            for (i = 1; i <= NR; i++) {
                split(line[i], f, "\t")
                if (i > 1 && key[i] != key[i - 1]) printf "\n"
                ratio = base[key[i]] > 0 ? sprintf("%.2f", f[4] / base[key[i]]) : ""
                batch = f[12] > 0 ? sprintf("%.1f", f[13] / f[12]) : ""
                printf form, f[1], f[2], f[3], sprintf("%.0f", f[4]), sprintf("%.2f", f[5]),
                    sprintf("%.2f", f[6]), ratio, f[7], f[8], f[9], f[10], f[11], batch
            }
        }
    ' "$folder/load-medians.tsv"
}

# What has to be reached, beside what was. A machine that is busy misses some, which is said and
# not punished.
print_load_targets() {
    local milliseconds
    milliseconds=$(sed -n 's/^group //p' "$folder/customers-test" | sort -n |
        awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)] }')
    awk -v customers="$milliseconds" -v customers_max="$customers_ms_max" '
        function show(what, target, value, met) {
            printf "%-62s %8s %8s  %s\n", what, target, value, met ? "met" : "below"
        }
        function at_least(what, one, other, target,    ratio) {
            ratio = rate[other] > 0 ? rate[one] / rate[other] : 0
            show(what, ">= " target, sprintf("%.2f", ratio), ratio >= target)
        }
        { name = $1 " " $2 " " $3; rate[name] = $4; p99[name] = $6; failed[name] = $8 + $9 }
        END {
            printf "%-62s %8s %8s\n", "", "target", "here"
            at_least("hot product, 128 clients: group commit / FOR UPDATE",
                "hot 128 group", "hot 128 for-update", 7)
            show("hot product, 128 clients: its p99 in ms, below FOR UPDATE",
                sprintf("< %.1f", p99["hot 128 for-update"]), sprintf("%.1f", p99["hot 128 group"]),
                p99["hot 128 group"] < p99["hot 128 for-update"])
            at_least("hot product, 128 clients: group commit / version check",
                "hot 128 group", "hot 128 version", 50)
            at_least("5,000 products, 128 clients: group commit / FOR UPDATE",
                "spread 128 group", "spread 128 for-update", 3)
            at_least("one client alone, hot product: group commit / FOR UPDATE",
                "hot 1 group", "hot 1 for-update", 0.9)
            at_least("one client alone, 5,000 products: group commit / FOR UPDATE",
                "spread 1 group", "spread 1 for-update", 0.9)
            show("100 orders of 100, 32 at a time: ms", "<= " customers_max, customers,
                customers <= customers_max)
            at_least("two processes / one, hot product, 128 clients",
                "two 128 two", "two 128 group", 0.7)
            show("two processes: errors", "0", failed["two 128 two"], !failed["two 128 two"])
        }
    ' "$folder/load-medians.tsv"
    say "(100 orders of 100 with FOR UPDATE: $(sed -n 's/^for-update //p' "$folder/customers-test" |
        sort -n | awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)] }') ms)"
}

# One SVG a scenario: answers a second and p99, over the number of clients.
draw_load() {
    local scenario front fronts
    for scenario in hot spread mixed charge; do
        fronts=()
        for front in "${load_fronts[@]}"; do
            awk -v scenario="$scenario" -v front="$front" '
                $1 == scenario && $3 == front { print $2, $4, $6 }
            ' "$folder/load-medians.tsv" | sort -n >"$folder/chart-$scenario-$front.dat"
            [[ ! -s $folder/chart-$scenario-$front.dat ]] || fronts+=("$front")
        done
        gnuplot <<PLOT
set terminal svg size 960,420 background 'white' font 'sans-serif,13'
set output '$folder/load-$scenario.svg'
fronts = '${fronts[*]}'
file(front) = '$folder/chart-$scenario-'.front.'.dat'
set logscale x 2
set xtics (1, 32, 128, 256)
set xrange [0.8:320]
set xlabel 'clients'
set grid ytics
set multiplot layout 1,2 title '$scenario: medians of $load_rounds rounds'
set key top left opaque
set yrange [0:*]
set ylabel 'answers a second'
plot for [front in fronts] file(front) using 1:2 with linespoints lw 2 pt 7 title front
set ylabel 'p99, ms'
set logscale y
set yrange [*:*]
plot for [front in fronts] file(front) using 1:3 with linespoints lw 2 pt 7 title front
unset multiplot
PLOT
        rm -f "$folder/chart-$scenario-"*.dat
    done
}

print_load() {
    load_medians
    say ""
    print_load_table
    say ""
    print_load_targets
    say ""
    if ! command -v gnuplot >/dev/null; then
        say "No charts: gnuplot is not installed."
    elif draw_load; then
        say "Charts: $folder/load-{hot,spread,mixed,charge}.svg"
    fi
}
