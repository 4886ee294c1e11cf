#!/bin/bash -p
#
# Fills a database with a large catalogue and three days of sales: see usage below, or --help.
#
# What it leaves behind is what a real shop would have:
#
#   * Order and payment numbers are drawn from their sequences, one by one, so they never meet
#     those that a service draws at the same time.
#   * Each slice of sales is one transaction: orders, lines, payments, sale_hourly and sale_window
#     agree after every commit, also when the run is killed.
#   * Stock and points are what was left after the sales. A product opened with its stock plus the
#     units it sold here, a buyer with the points held now plus the payments made here. So no stock
#     or point is updated: the openings grow with the sales.
#   * Orders have their events, which have long been delivered.
#   * Half of the lines follow Zipf's law (the hottest product gets a few per cent of all sales),
#     half spread over the whole catalogue: a few best sellers and a very long tail.
#
# Foreign keys and CHECKs stay on: what the schema refuses must not come in by the back door.

set -euo pipefail

folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly folder
# shellcheck source=sql/client.sh
. "$folder/client.sh"

# Rows a transaction: large enough to be fast, small enough to show progress and to roll back soon.
readonly slice=50000
readonly lines_default=1000000
readonly rows_max=100000000
# An order names a product once, so lines that fall together become one, and a little is missing
# after the planned slices. Each further slice makes up for nearly all of what is still missing.
readonly extra_slices=8

usage() {
    cat <<'USAGE'
Usage: sql/bulk.sh PRODUCTS [LINES] [mariadb option...] DATABASE

Adds PRODUCTS products with stock, a tenth of LINES users (at least 100), and LINES order lines
(default 1,000,000) of these products and users, sold in the last three days. DATABASE must be
migrated; what is in it already stays untouched, so the demo's shop may be. Each run adds again.

100,000 products and 1,000,000 lines take 40 s on two cores where the server's
innodb_buffer_pool_size is 512 MB, and several times as long where it is MariaDB's default of 128 MB.

Every other option goes to the mariadb client: --socket, --host, --user, --defaults-extra-file …
USAGE
}

misuse() {
    printf 'bulk: %s (--help explains)\n' "$*" >&2
    exit 2
}

[[ ${1-} != --help ]] || { usage && exit 0; }
(($# >= 2)) || misuse "PRODUCTS and DATABASE are needed"
readonly products=$1
shift
lines=$lines_default
if (($# >= 2)) && [[ $1 =~ ^[0-9]+$ ]]; then
    lines=$1
    shift
fi
readonly lines database=${!#} options=("${@:1:$#-1}")
for count in "$products" "$lines"; do
    if ! [[ $count =~ ^[1-9][0-9]{0,8}$ ]] || ((count > rows_max)); then
        misuse "PRODUCTS and LINES are whole numbers from 1 to $rows_max, not '$count'"
    fi
done
[[ $database =~ ^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$ ]] ||
    misuse "the last argument must be the database: letters, digits, _ and -"
readonly buyers=$((lines / 10 > 100 ? lines / 10 : 100))

set_mariadb_command ${options[@]+"${options[@]}"}

client() {
    "${mariadb_command[@]}" --batch --skip-column-names --raw --unbuffered \
        --skip-force --default-character-set=utf8mb4 "$database"
}

opening() {
    cat <<SQL
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_520_ci;
SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO';
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
-- Ids are given out above the largest one: two runs at once would give out the same.
DELIMITER //
BEGIN NOT ATOMIC
    IF NOT COALESCE(GET_LOCK('commerce.bulk.$database', 1), 0) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'another bulk run is busy';
    END IF;
END//
DELIMITER ;
-- The same numbers give the same shop, but for its times.
SET SESSION rand_seed1 = 20011, rand_seed2 = 67891;
SELECT COALESCE(MAX(id), 0) INTO @product FROM product;
SELECT COALESCE(MAX(id), 0) INTO @buyer FROM users;
-- From the beginning of the 72nd hour back until now. The first bucket is the next to expire.
SET @opened = DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00') - INTERVAL 71 HOUR;
SET @seconds = TIMESTAMPDIFF(SECOND, @opened, UTC_TIMESTAMP());
SQL
}

# Prints "label  done of total (percent), rows/s". @since and @done belong to the present part.
progress() {
    local label=$1 total=$2
    cat <<SQL
SELECT CONCAT('$label  ', LPAD(FORMAT(@done, 0), 11, ' '), ' of ', FORMAT($total, 0), '  ',
    LPAD(FLOOR(100 * @done / $total), 3, ' '), ' %  ',
    LPAD(FORMAT(@done / (TIMESTAMPDIFF(MICROSECOND, @since, SYSDATE(6)) / 1e6), 0), 9, ' '),
    ' rows/s') FROM DUAL WHERE @done > @shown;
SET @shown = @done;
SQL
}

catalogue() {
    local from to
    echo "SET @since = SYSDATE(6), @done = 0, @shown = 0;"
    for ((from = 1; from <= products; from += slice)); do
        to=$((from + slice - 1 < products ? from + slice - 1 : products))
        cat <<SQL
START TRANSACTION;
INSERT INTO product (id, name, price)
SELECT @product + seq,
       CONCAT(ELT(1 + seq MOD 12, '국내산', '유기농', '제주', '강원', '무농약', '산지직송', '냉동',
                  '수제', '저염', '대용량', '한입', '프리미엄'), ' ',
              ELT(1 + seq DIV 12 MOD 16, '양배추', '단호박', '버섯', '감자', '오이', '고구마', '토마토',
                  '닭가슴살', '연어', '두부', '현미', '블루베리', '사과', '한라봉', '인삼', '마늘'), ' ',
              ELT(1 + seq DIV 192 MOD 9, '샐러드', '주스', '도시락', '수프', '볶음밥', '만두', '피클', '칩',
                  '선물세트'), ' ', seq),
       100 * FLOOR(5 + 595 * POW(RAND(), 3))
  FROM seq_${from}_to_${to};
INSERT INTO stock (product_id, quantity)
SELECT @product + seq, FLOOR(100 + 10000 * RAND()) FROM seq_${from}_to_${to};
INSERT INTO stock_movement (product_id, cause, created_at, quantity)
SELECT product_id, 'OPENING', @opened, quantity
  FROM stock WHERE product_id BETWEEN @product + ${from} AND @product + ${to};
COMMIT;
SET @done = $to;
SQL
        progress 'products with stock' "$products"
    done
}

crowd() {
    local from to
    echo "SET @since = SYSDATE(6), @done = 0, @shown = 0;"
    for ((from = 1; from <= buyers; from += slice)); do
        to=$((from + slice - 1 < buyers ? from + slice - 1 : buyers))
        cat <<SQL
START TRANSACTION;
INSERT INTO users (id, name, hp_no, point)
SELECT @buyer + seq,
       CONCAT(ELT(1 + seq MOD 10, '김', '이', '박', '최', '정', '강', '조', '윤', '장', '임'),
              ELT(1 + seq DIV 10 MOD 10, '민준', '서연', '도윤', '지우', '예준', '서현', '시우', '하은',
                  '주원', '민서')),
       CONCAT('010-0', LPAD(seq DIV 10000 MOD 1000, 3, '0'), '-', LPAD(seq MOD 10000, 4, '0')),
       1000 * FLOOR(1000 * RAND())
  FROM seq_${from}_to_${to};
INSERT INTO point_adjustment (user_id, cause, created_at, amount)
SELECT id, 'OPENING', @opened, point
  FROM users WHERE id BETWEEN @buyer + ${from} AND @buyer + ${to};
COMMIT;
SET @done = $to;
SQL
        progress 'buyers             ' "$buyers"
    done
}

sales() {
    local i
    cat <<SQL
SET @since = SYSDATE(6), @done = 0, @shown = 0;
SQL
    for ((i = 0; i < (lines + slice - 1) / slice + extra_slices; i++)); do
        cat <<SQL
-- The slice's lines: which order (counted from 1), which product, how many units.
CREATE OR REPLACE TEMPORARY TABLE bulk_draw (
    seq INT PRIMARY KEY, opens BOOLEAN NOT NULL, product_id BIGINT NOT NULL, quantity INT NOT NULL
) ENGINE = InnoDB
SELECT seq,
       seq = 1 OR RAND() < 0.45 AS opens,
       -- rank 0 is the hottest; the prime factor scatters the ranks over the ids.
       @product + 1 + (IF(RAND() < 0.5, FLOOR(EXP(RAND() * LN($products + 1))) - 1,
           FLOOR(RAND() * $products)) * 2654435761) MOD $products AS product_id,
       FLOOR(1 + 4 * POW(RAND(), 2)) AS quantity
  FROM seq_1_to_$slice
 WHERE seq <= $lines - @done;

CREATE OR REPLACE TEMPORARY TABLE bulk_line (
    number INT NOT NULL, product_id BIGINT NOT NULL, quantity BIGINT NOT NULL,
    price BIGINT NOT NULL, PRIMARY KEY (number, product_id)
) ENGINE = InnoDB
SELECT draw.number, draw.product_id, SUM(draw.quantity) AS quantity, MAX(product.price) AS price
  FROM (SELECT SUM(opens) OVER (ORDER BY seq) AS number, product_id, quantity FROM bulk_draw) draw
  JOIN product ON product.id = draw.product_id
 GROUP BY draw.number, draw.product_id;
SELECT COUNT(*), COALESCE(MAX(number), 0) INTO @lines, @orders FROM bulk_line;

-- The slice's orders. Numbers rise with time; half of the orders come from a tenth of the buyers.
CREATE OR REPLACE TEMPORARY TABLE bulk_order (
    number INT PRIMARY KEY, id BIGINT NOT NULL, user_id BIGINT NOT NULL,
    created_at DATETIME(6) NOT NULL, total_price BIGINT NOT NULL, event UUID NULL
) ENGINE = InnoDB
SELECT number, NEXTVAL(order_id) AS id,
       @buyer + 1 + FLOOR(RAND() * IF(RAND() < 0.5, $buyers, $buyers / 10)) AS user_id,
       @opened + INTERVAL @seconds * (@done + @lines * number / @orders) / $lines SECOND
           AS created_at,
       total_price
  FROM (SELECT number, SUM(quantity * price) AS total_price FROM bulk_line GROUP BY number) one
 ORDER BY number;
-- The event's id, of version 7: milliseconds, and the order's number for the rest.
UPDATE bulk_order SET event = CONCAT(
    LPAD(HEX(FLOOR(UNIX_TIMESTAMP(created_at) * 1000)), 12, '0'), '7000', '8',
    LPAD(HEX(id), 15, '0'));

START TRANSACTION;
INSERT INTO orders (id, user_id, total_price, created_at, updated_at)
SELECT id, user_id, total_price, created_at, created_at FROM bulk_order ORDER BY id;

INSERT INTO orders_item (order_id, product_id, quantity, price, created_at, updated_at)
SELECT bulk_order.id, product_id, quantity, price, created_at, created_at
  FROM bulk_order JOIN bulk_line USING (number) ORDER BY bulk_order.id, product_id;

INSERT INTO payment_history
       (id, user_id, order_id, total_price, pay_method, status, created_at, updated_at)
SELECT NEXTVAL(payment_id), user_id, id, total_price, 'POINT', 'COMPLETED', created_at, created_at
  FROM bulk_order ORDER BY id;

INSERT INTO stock_movement (product_id, order_id, cause, created_at, quantity)
SELECT product_id, bulk_order.id, 'ORDER', created_at, -quantity
  FROM bulk_order JOIN bulk_line USING (number) ORDER BY product_id, bulk_order.id;

INSERT INTO stock_movement (product_id, cause, created_at, quantity)
SELECT product_id, 'OPENING', @opened, SUM(quantity)
  FROM bulk_line GROUP BY product_id ORDER BY product_id
    ON DUPLICATE KEY UPDATE quantity = stock_movement.quantity + VALUES(quantity);

INSERT INTO point_adjustment (user_id, cause, created_at, amount)
SELECT user_id, 'OPENING', @opened, SUM(total_price)
  FROM bulk_order GROUP BY user_id ORDER BY user_id
    ON DUPLICATE KEY UPDATE amount = point_adjustment.amount + VALUES(amount);

INSERT INTO outbox
       (id, aggregate, aggregate_id, type, version, payload, created_at, dispatched_at)
SELECT event, 'ORDER', id, 'order.paid', 1,
       CONCAT('{"orderId":"', id, '","userId":', user_id, ',"items":[', items, '],"totalPrice":',
           total_price, '}'), created_at, created_at
  FROM bulk_order JOIN (
       SELECT number, GROUP_CONCAT('{"productId":', product_id, ',"quantity":', quantity,
                  ',"price":', price, '}' ORDER BY product_id) AS items
         FROM bulk_line GROUP BY number) AS bought USING (number)
 ORDER BY event;

INSERT INTO delivery (event_id, target_id, state, attempts, due_at, finished_at)
SELECT event, 0, 'DELIVERED', 1, created_at, created_at FROM bulk_order ORDER BY event;

INSERT INTO sale_hourly (hour, product_id, quantity)
SELECT DATE_FORMAT(created_at, '%Y-%m-%d %H:00:00') AS hour, product_id, SUM(quantity)
  FROM bulk_order JOIN bulk_line USING (number) GROUP BY hour, product_id ORDER BY hour, product_id
    ON DUPLICATE KEY UPDATE quantity = sale_hourly.quantity + VALUES(quantity);

INSERT INTO sale_window (product_id, quantity)
SELECT product_id, SUM(quantity) FROM bulk_line GROUP BY product_id ORDER BY product_id
    ON DUPLICATE KEY UPDATE quantity = sale_window.quantity + VALUES(quantity);
COMMIT;
SET @done = @done + @lines;
SQL
        progress 'order lines        ' "$lines"
    done
    # Fresh statistics, without which the next hours' plans rest on an empty shop.
    echo "ANALYZE TABLE users, product, stock, orders, orders_item, payment_history,
        stock_movement, point_adjustment, outbox, delivery, sale_hourly, sale_window;"
}

{
    opening
    catalogue
    crowd
    sales
} | client 2> >(sed -n '/^ERROR/p' >&2) | sed --unbuffered $'/\tanalyze\t.*\tOK$/d'
echo "bulk: done in $SECONDS s"
