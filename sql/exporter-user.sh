#!/bin/bash -p
#
# Gives prometheus-mysqld-exporter its database user: see usage below.
#
# SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES need no right at all, and they are what we watch. So a
# hole in the exporter shows nobody's data, nor what anybody asks.

set -euo pipefail

folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly folder
# shellcheck source=sql/client.sh
. "$folder/client.sh"

usage() {
    cat <<'USAGE'
Usage: COMMERCE_EXPORTER_USER=… COMMERCE_EXPORTER_PASSWORD=… \
       sql/exporter-user.sh [--help] [mariadb option...]

Creates the exporter's user at localhost, or sets its password, without any right but to connect, over
three connections at most. It may run while the exporter does. The password is 16 or more letters and
digits. Every option goes to the mariadb client, which must connect as an administrator.
USAGE
}

fail() {
    printf 'exporter-user: %s\n' "$*" >&2
    exit 1
}

[[ ${1-} != --help ]] || { usage && exit 0; }
readonly user=${COMMERCE_EXPORTER_USER-} password=${COMMERCE_EXPORTER_PASSWORD-}
[[ $user =~ ^[A-Za-z0-9_]{1,32}$ ]] ||
    fail "COMMERCE_EXPORTER_USER must be letters, digits and _"
[[ $password =~ ^[A-Za-z0-9]{16,}$ ]] ||
    fail "COMMERCE_EXPORTER_PASSWORD must be 16 or more letters and digits"

# SQL goes to the client's standard input, never on its command line: everybody may read that. Of its
# complaints only the error is shown, because the client repeats the statement, which has the password.
set_mariadb_command "$@"
"${mariadb_command[@]}" --batch --skip-force 2> >(sed -n '/^ERROR/p' >&2) <<SQL || fail "stopped; running it again is safe"
CREATE USER IF NOT EXISTS '$user'@'localhost' IDENTIFIED BY '$password';
ALTER USER '$user'@'localhost' IDENTIFIED BY '$password' WITH MAX_USER_CONNECTIONS 3;
REVOKE ALL PRIVILEGES, GRANT OPTION FROM '$user'@'localhost';
SQL
