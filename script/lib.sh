# What the scripts share: messages, settings, and parts that start, are watched, and stop.
# Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

# A part is a server that a script runs beside itself, such as MariaDB.
declare -A part_pid=() # By name; a part that was stopped has none.
declare -A part_log=()
foreground_pid=""

readonly socket_path_max=107 # The kernel's sockaddr_un has 108 bytes, one of them the last zero.
readonly log_tail_lines=15

# What nginx, sed or the MariaDB installer would read as syntax in a path.
readonly path_syntax=$'[][:space:][:cntrl:];{}$\\|&"\'`*?<>()[]'

PATH=$PATH:/usr/sbin:/sbin # Where Debian keeps servers, and ordinary users do not look.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Says why a part failed, shows the end of its log, and ends.
die_with_log() {
    local log=$1
    shift
    {
        printf '%s: %s. The end of %s:\n' "${0##*/}" "$*" "$log"
        tail -n "$log_tail_lines" "$log" 2>/dev/null | sed 's/^/    /'
    } >&2
    exit 1
}

# Sets and exports COMMERCE_RUN_DIR, absolute, and COMMERCE_HTTP_PORT.
read_settings() {
    local port=${COMMERCE_HTTP_PORT:-8080}
    if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
        die "COMMERCE_HTTP_PORT must be a port number, and is '$port'"
    fi
    export COMMERCE_HTTP_PORT=$port
    export COMMERCE_RUN_DIR=${COMMERCE_RUN_DIR:-$repository/.run}
    [[ $COMMERCE_RUN_DIR == /* ]] || COMMERCE_RUN_DIR=$PWD/$COMMERCE_RUN_DIR
    [[ ! $COMMERCE_RUN_DIR =~ $path_syntax ]] ||
        die "the run folder's path may have no blanks, quotes or signs: $COMMERCE_RUN_DIR"
}

# Makes a run folder and takes its lock, which lasts as long as this script does.
take_folder() {
    local folder=$1
    (umask 077 && mkdir -p "$folder") || die "cannot make the run folder $folder"
    exec 9>"$folder/lock" || die "cannot write to the run folder $folder"
    flock -n 9 || die "$folder is in use by another run; COMMERCE_RUN_DIR names another folder"
}

# A longer path would be cut or refused by the kernel, in words that nobody understands.
check_socket_path() {
    local bytes
    bytes=$(printf %s "$1" | wc -c)
    ((bytes <= socket_path_max)) ||
        die "$1 has $bytes bytes and a socket may have $socket_path_max;" \
            "a shorter COMMERCE_RUN_DIR helps"
}

# Whether somebody listens on a TCP port of this machine, on whatever address.
port_is_taken() {
    local hexadecimal
    printf -v hexadecimal %04X "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port=":$hexadecimal" '$4 == "0A" && substr($2, length($2) - 4) == port { taken = 1 }
            END { exit !taken }'
}

# --- Running things -------------------------------------------------------------------------------

# Starts a part. It has a session of its own, so that Ctrl-C reaches this script only, which then
# stops the parts in order; and it is told to end should this script be killed.
start_part() {
    local name=$1 log=$2
    shift 2
    [[ ! -e $log ]] || mv -f "$log" "$log.previous" # What is shown of a log is of this run.
    setpriv --pdeathsig TERM setsid "$@" </dev/null >>"$log" 2>&1 9>&- &
    part_pid[$name]=$!
    part_log[$name]=$log
}

# Runs a command that takes long, such as a build. Unlike a plain call it does not keep a signal
# waiting until it has finished.
foreground() {
    local status=0
    setpriv --pdeathsig TERM "$@" </dev/null 9>&- &
    foreground_pid=$!
    wait "$foreground_pid" || status=$?
    foreground_pid=""
    return "$status"
}

is_running() { [[ -n ${part_pid[$1]-} ]] && kill -0 "${part_pid[$1]}" 2>/dev/null; }

# Waits until a check succeeds: wait_for NAME SECONDS COMMAND... Ends with the part's log if the
# part dies or the time is over.
wait_for() {
    local name=$1 seconds=$2 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        is_running "$name" || die_with_log "${part_log[$name]}" "$name ended while starting"
        ((SECONDS < deadline)) ||
            die_with_log "${part_log[$name]}" "$name was not ready after $seconds seconds"
        sleep 0.1
    done
}

# Stops a part: stop_part NAME SIGNAL SECONDS. What outlives its time is killed with its children.
stop_part() {
    local name=$1 signal=$2 deadline=$((SECONDS + $3)) pid=${part_pid[$1]-}
    [[ -n $pid ]] || return 0
    kill -s "$signal" "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS >= deadline)); then
            say "$name did not stop in $3 seconds and is killed" >&2
            kill -s KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.05
    done
    wait "$pid" 2>/dev/null || true
    kill -s KILL -- "-$pid" 2>/dev/null || true # What it left behind: nginx's workers, if it crashed.
    unset "part_pid[$name]"
}

# Stops everything: first who brings work, last who keeps it. Each bound is longer than what the
# part may rightly need: nginx and the responder the slowest answer, the worker the slowest receiver,
# MariaDB a full flush.
stop_parts() {
    if [[ -n $foreground_pid ]]; then
        kill "$foreground_pid" 2>/dev/null || true
        wait "$foreground_pid" 2>/dev/null || true
        foreground_pid=""
    fi
    stop_part ab TERM 1
    stop_part Prometheus TERM 20
    stop_part nginx-exporter TERM 5
    stop_part MariaDB-exporter TERM 5
    stop_part nginx QUIT 25
    stop_part commerce TERM 25
    stop_part worker TERM 25
    stop_part notifier TERM 25
    stop_part RabbitMQ TERM 30
    stop_part epmd TERM 5
    stop_part memcached TERM 5
    stop_part MariaDB TERM 60
}

# Whatever way this script ends, its parts end with it: stop_parts_at_exit STATUS_OF_A_SIGNAL.
stop_parts_at_exit() {
    # The first signal is enough: stopping is bounded, and its order is worth waiting for.
    trap 'trap "" INT TERM HUP; stop_parts' EXIT
    # shellcheck disable=SC2064 # The status of now.
    trap "exit $1" INT TERM HUP
}

# Waits until a part ends by itself, which none should, and says which it was.
watch_parts() {
    local name status
    while true; do
        for name in "${!part_pid[@]}"; do
            is_running "$name" && continue
            status=0
            wait "${part_pid[$name]}" 2>/dev/null || status=$?
            die_with_log "${part_log[$name]}" "$name has ended by itself with status $status"
        done
        sleep 1 9>&- & # In the background, or a signal would have to wait for it.
        wait $! 2>/dev/null || true
    done
}
