# How the scripts of this folder call the mariadb client. Sourced, never run.
# shellcheck shell=bash

# The client would take MYSQL_HOST before a --socket, and work on another server than was named. So of
# the caller's environment only the password is left, and what no client reads as an address.
declare -a mariadb_command=(mariadb)

# set_mariadb_command [OPTION OF mariadb...]
set_mariadb_command() {
    local name option named=0 socket=0
    for option; do
        case $option in
        --socket* | -S*) named=1 socket=1 ;;
        --host* | -h* | --defaults-*) named=1 ;;
        esac
    done
    for name in MYSQL_HOST MARIADB_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT; do
        if ((!named)) && [[ -n ${!name-} ]]; then
            printf '%s: %s is not read; --host or --socket names the server\n' "${0##*/}" "$name" >&2
            exit 1
        fi
    done
    while read -r name; do
        case $name in
        PATH | HOME | TERM | MYSQL_PWD) ;;
        COMMERCE_*) export -n "${name?}" ;; # For the script alone.
        *) unset "$name" 2>/dev/null || export -n "${name?}" ;; # SHELLOPTS is bash's own.
        esac
    done < <(compgen -e)
    export LC_ALL=C.UTF-8 # The same order, letters and messages everywhere.
    mariadb_command+=("$@")
    # A host in an option file would go before the socket, too.
    ((!socket)) || mariadb_command+=(--protocol=socket)
}
