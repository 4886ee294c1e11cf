# Looks after the parts of a run: what ends by itself is started again. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

readonly restart_pause_ms_min=200
readonly restart_pause_ms_max=5000
readonly failures_max=8 # In a row. A part that ends at once has then been tried for some 20 s.
readonly healthy_ms=10000 # A part that can be asked for so long has recovered.
readonly look_seconds=0.2
readonly orphans_seconds=5

declare -A part_failures=() # In a row.
declare -A part_due_ms=()   # When it is started again.
declare -A part_well_ms=()  # Since when it can be asked.

# Looks after all parts until a signal ends this script, or a part fails again and again. Whoever uses
# a part that is away waits for it: they connect again by themselves.
watch_parts() {
    local name now_ms
    exec 2>/dev/null # bash tells of each killed process, with the line that started it.
    exec 8<> <(:) # A pipe that never has a byte: reading from it is a pause that takes no process.
    while true; do
        read_clock
        for name in "${!part_command[@]}"; do watch_part "$name"; done
        read -rt "$look_seconds" -u 8 || true
    done
}

watch_part() {
    local name=$1
    if [[ -z ${part_pid[$name]-} ]]; then
        ((now_ms < part_due_ms[$name])) || launch_again "$name"
    elif ! is_running "$name"; then
        note_end "$name"
    elif ((${part_failures[$name]-0})); then
        is_ready "$name" || part_well_ms[$name]=$now_ms
        ((now_ms - part_well_ms[$name] < healthy_ms)) || part_failures[$name]=0
    fi
}

launch_again() {
    part_well_ms[$1]=$now_ms
    launch_part "$1"
}

# A part has ended, and is to be started again after a pause, which grows while it fails.
note_end() {
    local name=$1 pid=${part_pid[$1]} status=0 failures pause_ms how
    wait "$pid" 2>/dev/null || status=$?
    unset "part_pid[$name]"
    end_orphans "$pid"
    how="status $status"
    ((status <= 128)) || how="signal $(kill -l $((status - 128)) 2>/dev/null || say "$status")"
    failures=$((${part_failures[$name]-0} + 1))
    part_failures[$name]=$failures
    if ((failures >= failures_max)); then
        exec 2>&6
        die_with_log "${part_log[$name]}" \
            "$name has ended by itself $failures times in a row, the last time with $how"
    fi
    pause_ms=$((restart_pause_ms_min << (failures - 1)))
    ((pause_ms < restart_pause_ms_max)) || pause_ms=$restart_pause_ms_max
    part_due_ms[$name]=$((now_ms + pause_ms))
    say "$name has ended by itself with $how, and starts again in $((pause_ms / 1000)).$((pause_ms % \
        1000 / 100)) s" >&6
}

# What a part left behind, such as the workers of a killed nginx, must be gone before the next one: they
# have its port. A part's processes are a group of their own.
end_orphans() {
    local deadline=$((SECONDS + orphans_seconds))
    while kill -s KILL -- "-$1" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
}

# Sets `now_ms` by a clock that nobody sets.
read_clock() {
    local uptime
    read -r uptime _ </proc/uptime
    now_ms=$((10#${uptime/./} * 10))
}
