# What the scripts share: messages, settings, and parts that start, are watched, and stop.
# Sourced, never run, by scripts that begin with `bash -p`, which takes no functions and no options
# from the environment.
# shellcheck shell=bash

set -euo pipefail

# bash hands on whatever is no name of a variable, such as functions of the caller's shell; so this script
# begins anew without them.
drop_strange_names() {
    local entry strange=()
    while IFS= read -rd '' entry; do
        [[ ${entry%%=*} =~ ^([A-Za-z_][A-Za-z0-9_]*)?$ ]] || strange+=(-u "${entry%%=*}")
    done </proc/self/environ
    ((${#strange[@]} == 0)) || exec env "${strange[@]}" "${BASH_SOURCE[-1]}" "$@"
}

unset CDPATH POSIXLY_CORRECT # Or bash itself would behave otherwise.
drop_strange_names "$@"
# A descriptor that the caller has closed would be that of the next file that is opened.
{ : <&0; } 2>/dev/null || exec </dev/null
{ : >&1; } 2>/dev/null || exec >/dev/null
{ : >&2; } 2>/dev/null || exec 2>/dev/null

exec 6>&2 # Where messages go while bash's own about killed processes are not wanted.

# A part is a server that a script runs beside itself, such as MariaDB.
declare -A part_pid=() # By name; a part that was stopped, or waits for its next start, has none.
declare -A part_log=()
declare -A part_command=() part_environment=() part_ready=() # What it takes to start it again.
foreground_pid=""

readonly socket_path_max=107 # The kernel's sockaddr_un has 108 bytes, one of them the last zero.
readonly log_tail_lines=15

# What nginx, sed, an INI file or the MariaDB installer would read as syntax in a path.
readonly path_syntax=$'[][:space:][:cntrl:];:#{}$\\|&"\'`*?<>()[]'

# --- The environment ------------------------------------------------------------------------------

# What every part and every client is given of the caller's environment. Nothing else reaches them,
# but for the settings that a part is started with: a shop is the same whoever starts it.
readonly kept='PATH|HOME|TERM|USER|LOGNAME|TMPDIR|?SAN_OPTIONS' # The last of a sanitizer.
# What a build, and the installation of packages, may need in addition: the way to the network, and
# to a toolchain.
kept_for_builds="@(http|https|ftp|all|no)_proxy|@(HTTP|HTTPS|FTP|ALL|NO)_PROXY|LD_LIBRARY_PATH|\
SSL_CERT_*|CURL_CA_BUNDLE|GIT_CONFIG*|GIT_SSL*|GIT_SSH*|SSH_AUTH_SOCK|XDG_CACHE_HOME|XDG_CONFIG_HOME|\
SWIFT*|TOOLCHAINS|PKG_CONFIG_PATH|DEBIAN_FRONTEND"
readonly kept_for_builds

declare -A build_environment=()

# Leaves only what is kept in the environment. The settings stay, as variables of this script.
clean_environment() {
    local name
    while read -r name; do
        if [[ $name == COMMERCE_* || $name == BENCH_* || $name == FUZZ_* ]]; then
            export -n "${name?}"
        elif [[ $name != @($kept) ]]; then
            [[ $name != @($kept_for_builds) ]] || build_environment[$name]=${!name}
            unset "$name" 2>/dev/null || export -n "${name?}" # SHELLOPTS and its like are bash's own.
        fi
    done < <(compgen -e)
    [[ -d ${TMPDIR-} && -w ${TMPDIR-} ]] || unset TMPDIR
    export LC_ALL=C.UTF-8 # The same order, letters and messages everywhere.
    PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/sbin:/sbin # Where Debian keeps servers.
    umask 022
}
clean_environment

# Runs a function or a command in the environment of a build.
with_build_environment() {
    local name
    for name in "${!build_environment[@]}"; do
        local -x "$name=${build_environment[$name]}"
    done
    "$@"
}

repository=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)
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

# Sets COMMERCE_RUN_DIR, absolute, COMMERCE_HTTP_PORT, and `owner`: the system's user, who owns the
# database.
read_settings() {
    COMMERCE_HTTP_PORT=${COMMERCE_HTTP_PORT:-8080}
    check_port COMMERCE_HTTP_PORT "$COMMERCE_HTTP_PORT"
    COMMERCE_RUN_DIR=${COMMERCE_RUN_DIR:-$repository/.run}
    [[ $COMMERCE_RUN_DIR == /* ]] || COMMERCE_RUN_DIR=$PWD/$COMMERCE_RUN_DIR
    [[ ! $COMMERCE_RUN_DIR =~ $path_syntax ]] ||
        die "the run folder's path may have no blanks, colons, quotes or signs, and is" \
            "'$COMMERCE_RUN_DIR'; COMMERCE_RUN_DIR names another"
    # shellcheck disable=SC2034 # parts.sh reads it.
    owner=$(id -un 2>/dev/null) ||
        die "user $EUID has no name on this machine, and MariaDB knows its owner by name"
}

# check_port SETTING VALUE
check_port() {
    if [[ ! $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 65535)); then
        die "$1 must be a port number, and is '$2'"
    fi
}

# Makes a run folder and takes its lock, which lasts as long as this script does.
take_folder() {
    local folder=$1
    (umask 077 && mkdir -p "$folder") || die "cannot make the run folder $folder"
    expect_own_folder "$folder"
    # Without truncating it; and in a folder where nobody else can put a link in its place.
    [[ ! -L $folder/lock ]] || die "$folder/lock is a link; remove it, or name another COMMERCE_RUN_DIR"
    { exec 9>>"$folder/lock"; } 2>/dev/null || die "cannot write to the run folder $folder"
    flock -n 9 || die "$folder is in use by another run; COMMERCE_RUN_DIR names another folder"
}

# A run folder that others can write to is theirs as much as ours: its database, its programs' sockets
# and whatever a link in it leads to.
expect_own_folder() {
    local folder=$1 uid mode link_uid above
    read -r uid mode < <(stat -L --format '%u %a' -- "$folder")
    link_uid=$(stat --format %u -- "$folder")
    above=$(stat -L --format %a -- "$folder/..")
    [[ $uid == "$EUID" && $link_uid == "$EUID" ]] ||
        die "the run folder $folder belongs to another user; COMMERCE_RUN_DIR names another folder"
    ((!(8#$mode & 8#022))) ||
        die "others may write to the run folder $folder (mode $mode); chmod go-w, or name another" \
            "COMMERCE_RUN_DIR"
    # In a folder like /tmp, which is sticky, they can write beside it and not move it away.
    ((!(8#$above & 8#002) || 8#$above & 8#1000)) ||
        die "anybody may replace the run folder $folder (the one above has mode $above);" \
            "COMMERCE_RUN_DIR names another folder"
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

# start_part NAME READY LOG COMMAND...: starts a part with the settings that are exported at this moment.
# READY is the socket that it makes, or the port that it takes, when it can be asked; or nothing.
start_part() {
    local name=$1 ready=$2 log=$3
    shift 3
    [[ ! -e $log ]] || mv -f "$log" "$log.previous" # What is shown of a log is of this run.
    part_log[$name]=$log
    part_ready[$name]=$ready
    part_command[$name]=${*@Q}
    part_environment[$name]=$(export -p)
    launch_part "$name"
}

# Starts a part that start_part has described. It has a session of its own, so that Ctrl-C reaches
# this script only, which then stops the parts in order; and it is told to end should this script be
# killed.
launch_part() {
    local name=$1
    [[ ${part_ready[$name]} != /* ]] || rm -f "${part_ready[$name]}" # A killed one's.
    (
        umask 077
        eval "${part_environment[$name]}"
        eval "exec setpriv --pdeathsig TERM setsid ${part_command[$name]}"
    ) </dev/null >>"${part_log[$name]}" 2>&1 6>&- 8>&- 9>&- &
    part_pid[$name]=$!
}

# Runs a command that takes long, such as a build. Unlike a plain call it does not keep a signal
# waiting until it has finished.
foreground() {
    local status=0
    setpriv --pdeathsig TERM "$@" </dev/null 6>&- 8>&- 9>&- &
    foreground_pid=$!
    wait "$foreground_pid" || status=$?
    foreground_pid=""
    return "$status"
}

# Whether a part can be asked, as far as its socket or port tells.
is_ready() {
    case ${part_ready[$1]} in
    "") true ;;
    /*) [[ -S ${part_ready[$1]} ]] ;;
    *) port_is_taken "${part_ready[$1]}" ;;
    esac
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
    kill -s KILL -- "-$pid" 2>/dev/null || true # What it left behind.
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
    trap 'exec 2>&6; trap "" INT TERM HUP; stop_parts' EXIT
    signals_end_with "$1"
}

# shellcheck disable=SC2064 # The status of now.
signals_end_with() { trap "exit $1" INT TERM HUP; }
