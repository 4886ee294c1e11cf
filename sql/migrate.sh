#!/bin/bash -p
#
# Brings a database to the newest schema: see usage below, or --help.
#
# How two runs at once, and a run killed half-way, stay safe:
#
#   * What to apply is decided on a first look, and one SQL script is written for it. One client
#     session runs that script, and it holds a named lock of the server from beginning to end.
#     With the lock held, the script checks that the first look is still true; if another run
#     was faster, it stops before changing anything and we look again.
#   * The lock belongs to the session. It is released when the session ends, however it ends, and
#     not before the server has finished the statement that the session was running.
#   * A migration is recorded after its last statement. If the run dies in between, the next run
#     applies the same migration again, which the migrations allow for (IF NOT EXISTS).

set -euo pipefail
export LC_ALL=C.UTF-8 # The files sort by number wherever this runs.

folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly folder
# shellcheck source=sql/client.sh
. "$folder/client.sh"

readonly migrations=$folder/migrations
readonly collation=utf8mb4_unicode_520_ci

# How long to wait for another run to end, and for a table that a running service is using.
readonly lock_wait_seconds=30
readonly table_wait_seconds=30
# Looks at the database, if every time another run turns out to have been faster.
readonly looks_max=5

usage() {
    cat <<'USAGE'
Usage: sql/migrate.sh [--status | --dry-run | --help] [mariadb option...] DATABASE

Creates DATABASE if it is missing and applies the migrations it lacks, in order.

  --status    list every migration: applied (with its UTC time), pending, changed or missing
  --dry-run   name what would be applied, and change nothing
  --help      show this text

Every other option goes to the mariadb client: --socket, --host, --user, --defaults-extra-file …
Leave the password to --defaults-extra-file or MYSQL_PWD: a command line is public.

Exit status: 0 when the database is (or is listed as) sound, 1 when refused or failed, 2 for a
wrong call.
USAGE
}

fail() {
    printf 'migrate: %s\n' "$*" >&2
    exit 1
}

misuse() {
    printf 'migrate: %s (--help explains)\n' "$*" >&2
    exit 2
}

mode=apply
options=()
while (($# > 1)) || [[ ${1-} == --help ]]; do
    case $1 in
    --help) usage && exit 0 ;;
    --status) mode=status ;;
    --dry-run) mode=dry-run ;;
    *) options+=("$1") ;;
    esac
    shift
done
readonly database=${1-} mode options
set_mariadb_command ${options[@]+"${options[@]}"}
# Also what makes it safe to put the name between backticks and quotes below.
[[ $database =~ ^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$ ]] ||
    misuse "the last argument must be the database: letters, digits, _ and -"

# The user's options come first, because --defaults-… must; a setting of theirs must not make the
# client carry on after an error.
client() {
    "${mariadb_command[@]}" --batch --skip-column-names --raw --unbuffered \
        --skip-force --default-character-set=utf8mb4 "$@"
}

# --- The files: numbers 1, 2, 3 … without a gap or a double --------------------------------------

names=()     # names[number - 1]: the file's name without .sql
checksums=() # checksums[number - 1]: SHA-256 of the file

read_files() {
    local file name number
    for file in "$migrations"/*.sql; do
        name=$(basename "$file" .sql)
        [[ $name =~ ^[0-9]{4}_[a-z0-9_]+$ ]] ||
            fail "$name.sql is not named like a migration (NNNN_name.sql)"
        number=$((10#${name%%_*}))
        ((number != ${#names[@]})) || ((number == 0)) ||
            fail "number ${name%%_*} is doubled: ${names[number - 1]}.sql and $name.sql"
        ((number == ${#names[@]} + 1)) ||
            fail "$(printf 'number %04d is missing before %s.sql' $((${#names[@]} + 1)) "$name")"
        names+=("$name")
        checksums+=("$(sha256sum <"$file" | cut -d' ' -f1)")
    done
}

# --- The database: what it says was applied ------------------------------------------------------

exists=0 # whether the database is there
applied_names=()
applied_checksums=()
applied_times=()

look() {
    local table number name checksum time rows
    exists=0 applied_names=() applied_checksums=() applied_times=()
    rows=$(client -e "
        SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '$database';
        SELECT COUNT(*) FROM information_schema.tables
         WHERE table_schema = '$database' AND table_name = 'schema_migrations'") ||
        fail "could not ask the server"
    { read -r exists && read -r table; } <<<"$rows"
    ((table)) || return 0
    rows=$(client -e "
        SELECT number, name, checksum, DATE_FORMAT(applied_at, '%Y-%m-%dT%H:%i:%sZ')
          FROM \`$database\`.schema_migrations ORDER BY number") ||
        fail "could not read schema_migrations"
    while read -r number name checksum time; do
        [[ -n $number ]] || continue
        ((number == ${#applied_names[@]} + 1)) ||
            fail "$name is recorded as applied, but number $((number - 1)) before it is not"
        applied_names+=("$name")
        applied_checksums+=("$checksum")
        applied_times+=("$time")
    done <<<"$rows"
}

# Prints why the files and the database contradict each other; nothing if they agree.
contradiction() {
    local i
    for ((i = 0; i < ${#applied_names[@]}; i++)); do
        if [[ $(state "$i") == missing ]]; then
            echo "${applied_names[i]} was applied at ${applied_times[i]}, but its file is missing"
            return
        elif [[ $(state "$i") == changed ]]; then
            echo "${applied_names[i]} was applied at ${applied_times[i]}, and its file changed since:" \
                "put the file back as it was, and the change into a new migration"
            return
        fi
    done
}

# The state of the migration with index $1. A renamed file counts as missing.
state() {
    local i=$1
    if ((i >= ${#applied_names[@]})); then
        echo pending
    elif [[ ${names[i]-} != "${applied_names[i]}" ]]; then
        echo missing
    elif [[ ${checksums[i]} != "${applied_checksums[i]}" ]]; then
        echo changed
    else
        echo applied
    fi
}

list() {
    local i last=${#names[@]}
    ((${#applied_names[@]} <= last)) || last=${#applied_names[@]}
    for ((i = 0; i < last; i++)); do
        printf '%-8s %-20s %s\n' "$(state "$i")" "${applied_times[i]--}" \
            "${applied_names[i]-${names[i]}}"
    done
}

# --- The script that one session runs ------------------------------------------------------------

# A compound statement, because only one can stop the session with a message of its own.
demand() {
    local condition=$1 message=$2
    cat <<SQL
DELIMITER //
BEGIN NOT ATOMIC
    IF NOT ($condition) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '$message';
    END IF;
END//
DELIMITER ;
SQL
}

readonly overtaken='another run was faster'

script() {
    local i
    cat <<SQL
SET NAMES utf8mb4 COLLATE $collation;
SET SESSION time_zone = '+00:00', autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES,'
    'ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION';
SET SESSION lock_wait_timeout = $table_wait_seconds,
    innodb_lock_wait_timeout = $table_wait_seconds;
SQL
    ((exists)) || echo "CREATE DATABASE IF NOT EXISTS \`$database\`
        CHARACTER SET utf8mb4 COLLATE $collation;"
    echo "USE \`$database\`;"
    demand "COALESCE(GET_LOCK('commerce.migrate.$database', $lock_wait_seconds), 0)" \
        "another run has held the lock for $lock_wait_seconds seconds"
    cat <<SQL
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     SMALLINT UNSIGNED NOT NULL,
    name       VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    checksum   CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE $collation;
SQL
    demand "(SELECT COUNT(*) FROM schema_migrations) = ${#applied_names[@]}" "$overtaken"
    for ((i = ${#applied_names[@]}; i < ${#names[@]}; i++)); do
        echo "SELECT 'applying ${names[i]}';"
        cat "$migrations/${names[i]}.sql"
        cat <<SQL

INSERT INTO schema_migrations (number, name, checksum)
VALUES ($((i + 1)), '${names[i]}', '${checksums[i]}');
SQL
    done
}

# --- The run -------------------------------------------------------------------------------------

apply() {
    local scratch looks why
    # A file, not a pipe: a client reading a pipe whose writer was killed would run the first half
    # of a statement as if it were whole.
    scratch=$(mktemp -d) || fail "there is no folder for temporary files"
    # shellcheck disable=SC2064  # The path of now, not of the moment of the trap.
    trap "rm -rf '$scratch'" EXIT
    for ((looks = 1; looks <= looks_max; looks++)); do
        ((looks == 1)) || look
        why=$(contradiction)
        [[ -z $why ]] || fail "$why"
        if ((${#applied_names[@]} == ${#names[@]})); then
            echo "$database: up to date (${#names[@]} migrations)"
            return
        fi
        script >"$scratch/script.sql"
        if client <"$scratch/script.sql" 2>"$scratch/errors"; then
            echo "$database: applied $((${#names[@]} - ${#applied_names[@]})) of ${#names[@]}" \
                "migrations"
            return
        fi
        why=$(sed -n 's/^ERROR 1644 .*: //p' "$scratch/errors") # What demand() signalled.
        if [[ -z $why ]]; then
            cat "$scratch/errors" >&2
            fail "$database: stopped; what was applied is recorded, and a new run continues there"
        elif [[ $why != "$overtaken" ]]; then
            fail "$database: $why"
        fi
    done
    fail "$database: other runs were faster $looks_max times; giving up"
}

read_files
look
case $mode in
status)
    list
    why=$(contradiction)
    [[ -z $why ]] || fail "$why"
    ;;
dry-run)
    why=$(contradiction)
    [[ -z $why ]] || fail "$why"
    ((exists)) || echo "would create the database $database"
    for ((i = ${#applied_names[@]}; i < ${#names[@]}; i++)); do
        echo "would apply ${names[i]}"
    done
    ((${#applied_names[@]} < ${#names[@]})) || echo "$database: up to date, nothing to apply"
    ;;
apply) apply ;;
esac
