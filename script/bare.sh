# What script/try-bare runs in its namespaces, and in its root.
# shellcheck shell=bash

set -euo pipefail

# enter ROOT NEWCOMER PORT TOOLCHAIN [FOLDER...] -- [ARGUMENT OF script/test...]: the folders are to be seen
# in the root under their own names. The mounts end with the namespace.
enter() {
    local root=$1 newcomer=$2 port=$3 toolchain=$4 path
    shift 3
    for path in /dev /sys; do mount --rbind "$path" "$root$path"; done
    mount -t proc proc "$root/proc"
    while [[ $1 != -- ]]; do
        mkdir -p "$root$1"
        mount --bind --options ro "$1" "$root$1"
        shift
    done
    shift
    exec chroot "$root" env --ignore-environment TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /bin/bash /root/bare.sh visit "$newcomer" "$port" "$toolchain" "$@"
}

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

step() { printf '%5d s: %s\n' "$SECONDS" "$*"; }

# As the newcomer, with the Swift on the PATH.
as_newcomer() {
    setpriv --reuid "$newcomer" --regid "$newcomer" --init-groups \
        env HOME="/home/$newcomer" USER="$newcomer" PATH="$toolchain/bin:/usr/bin:/bin" \
        COMMERCE_HTTP_PORT="$port" "$@"
}

# Does as root what a script says that root has to do.
obey() {
    local command
    command=$(sed -n 's/^[a-z]*: as root, please: //p' "$1" | tail -n 1)
    [[ -n $command ]] || return 1
    step "as root: $command"
    eval "$command" >/tmp/root.log 2>&1 || { tail -n 30 /tmp/root.log && fail "what root was to do"; }
}

order() {
    curl --silent --fail --output /dev/null \
        --json '[{"user_id": 25, "products": [{"id": 101, "quantity": 1}], "paymentAmount": 2000}]' \
        "http://127.0.0.1:$port/api/v1/orders"
}

# No process may be left but this one, the first of its namespace.
expect_nobody() {
    local folder found=""
    sleep 1
    for folder in /proc/[0-9]*; do
        [[ $folder == /proc/1 || ! -s $folder/cmdline ]] || found+="$(tr '\0' ' ' <"$folder/cmdline"); "
    done 2>/dev/null
    [[ -z $found ]] || fail "left over: $found"
}

try_server() {
    step "script/server"
    ! as_newcomer script/server >/tmp/server.log 2>&1 || fail "script/server has everything it needs"
    obey /tmp/server.log || { cat /tmp/server.log && fail "script/server does not say what it needs"; }
    set -m # What is started now is a process group of its own, as on a terminal.
    as_newcomer script/server >/tmp/server.log 2>&1 &
    set +m
    until grep -q '^Commerce is ready' /tmp/server.log; do
        kill -0 $! 2>/dev/null || { cat /tmp/server.log && fail "script/server has ended"; }
        sleep 1
    done
    step "the shop is ready"
    order || fail "the shop takes no order"
    kill -s INT -- -$! # Ctrl-C.
    wait $! || fail "script/server ended with status $? at Ctrl-C"
    expect_nobody
    step "it has taken an order, and left no process at Ctrl-C"
}

try_test() {
    step "script/test $*"
    if ! as_newcomer script/test "$@" >/tmp/test.log 2>&1; then
        obey /tmp/test.log || { tail -n 60 /tmp/test.log && fail "script/test"; }
        as_newcomer script/test "$@" >/tmp/test.log 2>&1 || { tail -n 60 /tmp/test.log && fail "script/test"; }
    fi
    tail -n 1 /tmp/test.log
    expect_nobody
}

# visit NEWCOMER PORT TOOLCHAIN [ARGUMENT OF script/test...]: what README's reader does.
visit() {
    newcomer=$1 port=$2 toolchain=$3
    cd "/home/$newcomer/commerce"
    try_server
    try_test "${@:4}"
    step "all is well"
}

"$@"
