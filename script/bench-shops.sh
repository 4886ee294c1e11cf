# Several responders on one private database, each behind an nginx of its own, and what SQL and
# /metrics say of them. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

readonly quiet_looks=4 # Who lost a race is out of sight for 2 ms at most.

# A front is an nginx; its responders are those that answer /metrics, too.
declare -A front_port=()     # By front.
declare -A front_responders=() # By front: names of fronts with one responder each.

# start_responder NAME LEDGER [SETTING=VALUE...]: `commerce serve` with its socket at FOLDER/NAME.sock.
start_responder() {
    local name=$1 ledger=$2 socket=$folder/$1.sock
    check_socket_path "$socket"
    with_responder_settings "$folder" COMMERCE_SOCKET="$socket" COMMERCE_LEDGER="$ledger" "${@:3}" \
        start_part "commerce-$name" "$socket" "$folder/commerce-$name.log" "$binary" serve
    wait_for "commerce-$name" "$commerce_start_seconds" is_ready "commerce-$name"
}

# start_front NAME RESPONDER...: the shop's own nginx configuration, on a free port.
start_front() {
    local name=$1 home=$folder/front-$1 globals='daemon off;' servers="" probes="" responder
    shift
    front_port[$name]=$(free_port)
    front_responders[$name]=$*
    for responder; do
        servers+="server unix:$folder/$responder.sock; "
        probes+="server unix:$folder/$responder.sock.probes; "
    done
    mkdir -p "$home"
    rm -f "$home/access.log"
    cp "$repository/nginx/nginx.conf" "$repository/nginx/commerce.conf" "$home/"
    configure_listener "$home/commerce.conf" "${front_port[$name]}"
    configure "$home/commerce.conf" 'server unix:/run/commerce/commerce.sock;' "$servers"
    configure "$home/commerce.conf" 'server unix:/run/commerce/commerce.sock.probes;' "$probes"
    ((EUID)) || globals+=' user root;'
    start_part "nginx-$name" "${front_port[$name]}" "$home/error.log" nginx -p "$home" -c "$home/nginx.conf" -g "$globals"
    wait_for "nginx-$name" "$nginx_start_seconds" ask "$(url "$name")/readyz"
}

# url FRONT
url() { say "http://127.0.0.1:${front_port[$1]}"; }

# Stops what was started here, nginx before the responders.
stop_shops() {
    local name
    for name in "${!part_pid[@]}"; do
        [[ $name != nginx-* ]] || stop_part "$name" QUIT 25
    done
    for name in "${!part_pid[@]}"; do
        [[ $name != commerce-* && $name != worker-* ]] || stop_part "$name" TERM 25
    done
}

# The ledgers of a front's responders, since they started: CONFLICTS RETRIES BATCHES COMMANDS
ledger_metrics() {
    local front
    for front in ${front_responders[$1]}; do
        ask "$(url "$front")/metrics" ||
            die "the metrics of $front are not to be had"
    done | awk '
        $1 == "commerce_ledger_conflicts_total" { conflicts += $2 }
        $1 == "commerce_ledger_retries_total" { retries += $2 }
        $1 == "commerce_ledger_batch_commands_count" { batches += $2 }
        $1 == "commerce_ledger_batch_commands_sum" { commands += $2 }
        END { print conflicts + 0, retries + 0, batches + 0, commands + 0 }'
}

# --- The books ------------------------------------------------------------------------------------

shop_sql() { sql_client "$folder" -N "$database"; }

# What a run begins with: STOCK POINTS ORDER PAYMENT TIME. Its orders and payments have higher
# numbers, because nothing else is under way and the ledgers draw numbers as they need them.
open_books() {
    shop_sql <<SQL
SET time_zone = '+00:00';
SELECT (SELECT SUM(quantity) FROM stock WHERE product_id >= $ground_product_first),
       (SELECT SUM(point) FROM users WHERE id >= $ground_user_first),
       NEXT VALUE FOR order_id, NEXT VALUE FOR payment_id,
       DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%f');
SQL
}

# close_books STOCK POINTS ORDER PAYMENT TIME: prints ORDERS CHARGES, and on further lines whatever
# does not agree. The schema itself allows one order a number and one payment an order.
close_books() {
    shop_sql <<SQL
SET time_zone = '+00:00';
SELECT $1 - SUM(quantity) INTO @taken FROM stock WHERE product_id >= $ground_product_first;
SELECT $2 - SUM(point) INTO @spent FROM users WHERE id >= $ground_user_first;
SELECT COUNT(*), COALESCE(SUM(total_price), 0) INTO @orders, @total FROM orders WHERE id > $3;
SELECT COUNT(DISTINCT order_id), COALESCE(SUM(quantity), 0), COALESCE(SUM(quantity * price), 0)
  INTO @with_lines, @units, @worth FROM orders_item WHERE order_id > $3;
SELECT COALESCE(SUM(pay_method = 'POINT'), 0), COUNT(DISTINCT order_id),
       COALESCE(SUM(IF(pay_method = 'POINT', total_price, 0)), 0),
       COALESCE(SUM(pay_method = 'CHARGE'), 0),
       COALESCE(SUM(IF(pay_method = 'CHARGE', total_price, 0)), 0)
  INTO @payments, @paid_orders, @paid, @charges, @charged FROM payment_history WHERE id > $4;
SELECT COUNT(*) INTO @keys FROM idempotency_key WHERE created_at >= '$5';
SELECT COALESCE(SUM(type = 'order.paid'), 0), COALESCE(SUM(type = 'points.charged'), 0)
  INTO @paid_events, @charged_events FROM outbox WHERE created_at >= '$5';
SELECT @orders, @charges;
SELECT CONCAT('stock fell by ', @taken, ' and ', @units, ' units were sold')
 WHERE @taken <> @units;
SELECT CONCAT('points fell by ', @spent, ' and ', @total, ' - ', @charged, ' were spent')
 WHERE @spent <> @total - @charged;
SELECT CONCAT('orders: ', @orders, ', with lines: ', @with_lines, ', payments: ', @payments,
              ', of different orders: ', @paid_orders)
 WHERE @orders <> @with_lines OR @orders <> @payments OR @orders <> @paid_orders;
SELECT CONCAT('orders cost ', @total, ', their lines ', @worth, ', paid was ', @paid)
 WHERE @total <> @worth OR @total <> @paid;
SELECT CONCAT('charges: ', @charges, ', keys: ', @keys) WHERE @charges <> @keys;
SELECT CONCAT('orders: ', @orders, ', events: ', @paid_events, '; charges: ', @charges,
              ', events: ', @charged_events)
 WHERE @orders <> @paid_events OR @charges <> @charged_events;
SQL
}

# Waits until what clients left behind is finished: no session of the service is at work and no
# payment comes, look after look.
await_quiet() {
    local before="" now quiet=0
    while ((quiet < quiet_looks)); do
        sleep 0.05
        now=$(busy_sessions_and_newest)
        if [[ $now == "$before" && $now == 0$'\t'* ]]; then
            quiet=$((quiet + 1))
        else
            quiet=0
        fi
        before=$now
    done
}

busy_sessions_and_newest() {
    shop_sql <<SQL
SELECT (SELECT COUNT(*) FROM information_schema.processlist
         WHERE user = '$database_user' AND command <> 'Sleep'),
       (SELECT CONCAT(COUNT(*), ' ', COALESCE(MAX(id), 0))
          FROM (SELECT id FROM payment_history ORDER BY id DESC LIMIT 2000) AS newest);
SQL
}

# Makes the tables of a scenario as small as they were for the one before.
empty_books() {
    shop_sql <<'SQL'
SET foreign_key_checks = 0;
TRUNCATE orders_item;
TRUNCATE payment_history;
TRUNCATE orders;
TRUNCATE idempotency_key;
TRUNCATE delivery;
TRUNCATE outbox;
TRUNCATE sale_hourly;
TRUNCATE sale_window;
TRUNCATE stock_movement;
TRUNCATE point_adjustment;
SQL
    reconcile
}
