#!/bin/bash -p
#
# Gives the service its database user, with the rights it needs and no others: see usage below.
#
# The service reads and writes rows; it never changes the schema. So a hole in the service can
# neither drop a table, nor rewrite a payment, nor read another database.

set -euo pipefail
export LC_ALL=C.UTF-8 # comm and sort must agree.

folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly folder
# shellcheck source=sql/client.sh
. "$folder/client.sh"

usage() {
    cat <<'USAGE'
Usage: COMMERCE_DATABASE_USER=… COMMERCE_DATABASE_PASSWORD=… \
       sql/service-user.sh [--help] [mariadb option...] DATABASE

Creates the service's user, or sets its password, and gives it exactly the rights on DATABASE that
the service needs. Run it after sql/migrate.sh, and again after every migration; it may run while
the service does. Rights on DATABASE that are no longer listed here are revoked; rights on other
databases are left alone. A user with rights on the whole server is refused: that is an
administrator, not the service.

  COMMERCE_DATABASE_USER_HOST   where the service connects from (default: localhost)

Every other option goes to the mariadb client, which must connect as an administrator.
USAGE
}

fail() {
    printf 'service-user: %s\n' "$*" >&2
    exit 1
}

[[ ${1-} != --help ]] || { usage && exit 0; }
(($# > 0)) || { usage >&2 && exit 2; }
readonly database=${!#} options=("${@:1:$#-1}")
readonly user=${COMMERCE_DATABASE_USER-} password=${COMMERCE_DATABASE_PASSWORD-}
readonly host=${COMMERCE_DATABASE_USER_HOST:-localhost}
[[ $database =~ ^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$ ]] ||
    fail "the last argument must be the database: letters, digits, _ and -"
[[ -n $user ]] || fail "COMMERCE_DATABASE_USER is empty"
[[ -n $password ]] || fail "COMMERCE_DATABASE_PASSWORD is empty"

set_mariadb_command ${options[@]+"${options[@]}"}

# SQL goes to the client's standard input, never on its command line: everybody may read that.
# Of its complaints only the error is shown, because the client repeats the failed statement, and
# that may be the one with the password.
client() {
    {
        "${mariadb_command[@]}" --batch --skip-column-names --raw --skip-force \
            --default-character-set=utf8mb4 2>&1 1>&3 | sed -n '/^ERROR/p' >&2
    } 3>&1
}

# $1 as an SQL string, whatever it contains.
quoted() {
    local text=$1 backslash="\\" quote="'"
    text=${text//"$backslash"/"$backslash$backslash"}
    text=${text//"$quote"/"$quote$quote"}
    printf "'%s'" "$text"
}

account="$(quoted "$user")@$(quoted "$host")"
readonly account

# --- The rights ----------------------------------------------------------------------------------

grants= # GRANT statements
wanted= # the same, a line a right: table, tab, right

allow() {
    local table=$1 right list=
    shift
    for right in "$@"; do
        list+="${list:+, }$right"
        wanted+="$table"$'\t'"$right"$'\n'
    done
    grants+="GRANT $list ON \`$database\`.\`$table\` TO $account;"$'\n'
}

# A column list after UPDATE means: the rest of the row is not the service's to change. `updated_at`
# needs no right, as the server sets it. SELECT is also all that FOR UPDATE and LOCK IN SHARE MODE
# need in MariaDB. INSERT … ON DUPLICATE KEY UPDATE demands UPDATE on every column it inserts, so
# the two tables that are counted up get UPDATE as a whole.

# Charges, orders and cancels move points under a version check. Names and numbers are never written here.
allow users SELECT 'UPDATE (point)' 'UPDATE (version)'

# The service sells the catalogue and does not edit it: nobody lowers a price through a shop window.
allow product SELECT

# Orders take units, cancels return them. New products get their stock from whoever adds them.
allow stock SELECT 'UPDATE (quantity)' 'UPDATE (version)'

# INSERT is the right to draw a number (NEXTVAL). It cannot be had without the right to SETVAL.
allow order_id SELECT INSERT
allow payment_id SELECT INSERT

# Orders are added; a cancel makes PAID CANCELED, under a version check, and changes nothing else.
allow orders SELECT INSERT 'UPDATE (status)' 'UPDATE (version)'

# What was sold, and for how much, is never rewritten.
allow orders_item SELECT INSERT

# Every movement of points is a new row. No UPDATE, no DELETE: this is the ledger.
allow payment_history SELECT INSERT

# So is every movement of stock. What is put right by hand is not the service's to write.
allow stock_movement SELECT INSERT
allow point_adjustment SELECT

# A stored answer stays as it was sent. DELETE is for the purge of keys older than 72 hours.
allow idempotency_key SELECT INSERT DELETE

# Orders and cancels count units in the bucket of the hour; the expiry drops buckets older than 72
# hours. DELETE is safe here because the orders' lines keep the truth.
allow sale_hourly SELECT INSERT UPDATE DELETE

# Moves together with sale_hourly. A product that sells nothing any more stays, at 0.
allow sale_window SELECT INSERT UPDATE

# What an event says is never rewritten: it is added, dispatched, and purged once it has arrived.
allow outbox SELECT INSERT 'UPDATE (dispatched_at)' DELETE

# A delivery is about one event and one target for as long as it is there.
allow delivery SELECT INSERT 'UPDATE (state)' 'UPDATE (attempts)' 'UPDATE (due_at)' \
    'UPDATE (last_error)' 'UPDATE (finished_at)' DELETE

# An endpoint never moves to another address: whoever has a new one adds a new endpoint.
allow webhook_endpoint SELECT INSERT 'UPDATE (secret)' 'UPDATE (previous_secret)' \
    'UPDATE (previous_secret_until)' 'UPDATE (disabled_at)' 'UPDATE (disabled_reason)'

# What was sent was sent; DELETE is for the purge.
allow notification SELECT INSERT DELETE

# Which copy of the data this is; an operator's command says whether it is the shop.
allow shop SELECT 'UPDATE (live_generation)'

# The service refuses to start on a schema that is older than itself, and writes no history.
allow schema_migrations SELECT

# --- The run -------------------------------------------------------------------------------------

# Grants first and revokes afterwards, so that a running service never lacks a right in between.
rights=$(
    client <<SQL
SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER';
SET @grantee = CONCAT('''', $(quoted "$user"), '''@''', $(quoted "$host"), '''');
USE \`$database\`;
DELIMITER //
BEGIN NOT ATOMIC
    IF EXISTS (SELECT 1 FROM information_schema.user_privileges
                WHERE grantee = @grantee AND privilege_type <> 'USAGE') THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the user has rights on the whole server';
    END IF;
END//
DELIMITER ;
CREATE USER IF NOT EXISTS $account IDENTIFIED BY $(quoted "$password");
ALTER USER $account IDENTIFIED BY $(quoted "$password");
$grants
SELECT table_name, privilege_type FROM information_schema.table_privileges
 WHERE grantee = @grantee AND table_schema = '$database'
UNION ALL
SELECT table_name, CONCAT(privilege_type, ' (', column_name, ')')
  FROM information_schema.column_privileges
 WHERE grantee = @grantee AND table_schema = '$database'
UNION ALL
SELECT table_name, 'GRANT OPTION' FROM information_schema.table_privileges
 WHERE grantee = @grantee AND table_schema = '$database' AND is_grantable = 'YES'
 GROUP BY table_name
UNION ALL
SELECT '*', privilege_type FROM information_schema.schema_privileges
 WHERE grantee = @grantee AND table_schema = '$database' AND privilege_type <> 'USAGE';
SQL
) || fail "stopped; running it again is safe"

revokes=
while IFS=$'\t' read -r table right; do
    [[ -n $table ]] || continue
    [[ $table == '*' ]] || table="\`$table\`"
    revokes+="REVOKE $right ON \`$database\`.$table FROM $account;"$'\n'
    echo "revoking $right on $table"
done < <(comm -13 <(printf '%s' "$wanted" | sort) <(printf '%s\n' "$rights" | sort))
if [[ -n $revokes ]]; then
    client <<<"SET SESSION sql_mode = 'STRICT_TRANS_TABLES'; $revokes" ||
        fail "could not revoke; running it again is safe"
fi
echo "$user at $host: $(printf '%s' "$wanted" | wc -l) rights on $database"
