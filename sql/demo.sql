-- A small shop that makes every example of the API's documentation true as written.
--
--     mariadb … DATABASE < sql/demo.sql         (after sql/migrate.sh)
--
-- Running it again changes nothing: a row that is there stays as it is, and the sales are added
-- only together with the products they belong to. So a shop that has sold keeps its stock, its
-- points and its best sellers. Everything is one transaction: killed half-way, it leaves nothing.
--
-- There are no orders in it, so the first real order gets the number 1.

SET NAMES utf8mb4 COLLATE utf8mb4_unicode_520_ci;
SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO';

START TRANSACTION;

-- Users 1-100. User 1 has no points, to be refused; user 25 is the documentation's. No subscriber
-- in Korea has a number that begins with 010-0, so none of the others can belong to a person.
INSERT INTO users (id, name, hp_no, point)
SELECT seq,
       IF(seq = 25, '김테스트', CONCAT(
           ELT(1 + seq * 7 MOD 20, '김', '이', '박', '최', '정', '강', '조', '윤', '장', '임',
               '한', '오', '서', '신', '권', '황', '안', '송', '류', '홍'),
           ELT(1 + seq * 11 MOD 25, '민준', '서연', '도윤', '지우', '예준', '서현', '시우', '하은',
               '주원', '민서', '지호', '수아', '준서', '지아', '건우', '다은', '현우', '은서',
               '우진', '채원', '선우', '소율', '연우', '예린', '정우'))),
       IF(seq = 25, '010-1234-4112', CONCAT('010-0000-', LPAD(seq, 4, '0'))),
       IF(seq = 1, 0, 100000)
  FROM seq_1_to_100
    ON DUPLICATE KEY UPDATE users.id = users.id;

-- Whether this shop opens now. Asked after the users, whose insert makes a second run wait for the
-- first, and with a lock, which sees what the first has committed.
SELECT COUNT(*) = 0 INTO @opening FROM product WHERE id IN (25, 101) LOCK IN SHARE MODE;

CREATE OR REPLACE TEMPORARY TABLE demo_product (
    id       BIGINT PRIMARY KEY,
    name     VARCHAR(200) NOT NULL,
    price    BIGINT NOT NULL,
    quantity BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

INSERT INTO demo_product (id, name, price, quantity) VALUES
    ( 25, '빽다방 아메리카노', 2500,    9),
    ( 26, '카페 라떼',         3500,  300),
    ( 27, '바닐라 라떼',       4000,  300),
    ( 28, '콜드브루',          4500,  200),
    ( 29, '자몽 에이드',       4800,  150),
    ( 30, '오늘 품절 케이크',  6500,    0),
    (101, '양배추 샐러드',     2000, 1000),
    (102, '단호박 샐러드',     2000, 1000),
    (103, '버섯 샐러드',       2000, 1000),
    (104, '감자 샐러드',       2000, 1000),
    (105, '오이 샐러드',       2000, 1000),
    (106, '닭가슴살 샐러드',   5900,  500),
    (107, '연어 샐러드',       8900,  200),
    (108, '리코타 치즈 샐러드', 7900, 200);

INSERT INTO product (id, name, price)
SELECT id, name, price FROM demo_product
    ON DUPLICATE KEY UPDATE product.id = product.id;

INSERT INTO stock (product_id, quantity)
SELECT id, quantity FROM demo_product
    ON DUPLICATE KEY UPDATE stock.product_id = stock.product_id;

-- What is new opens its books. A second run finds them open.
INSERT INTO stock_movement (product_id, cause, quantity)
SELECT product_id, 'OPENING', stock.quantity
  FROM stock JOIN demo_product ON demo_product.id = stock.product_id
 WHERE NOT EXISTS (SELECT 1 FROM stock_movement m WHERE m.product_id = stock.product_id);

INSERT INTO point_adjustment (user_id, cause, amount)
SELECT id, 'OPENING', point FROM users
 WHERE id BETWEEN 1 AND 100 AND point > 0
   AND NOT EXISTS (SELECT 1 FROM point_adjustment a WHERE a.user_id = users.id)
   AND NOT EXISTS (SELECT 1 FROM payment_history p WHERE p.user_id = users.id);

-- Sales, as (product, hours ago, units). The first five products are the best sellers of the last
-- three days, with 20, 18, 10, 8 and 6 units; their sales lie within the last 30 hours, so that the
-- example stays true for almost two days. The rest sold more than any of them, four days ago: the
-- service has to expire those before it reads the best sellers.
CREATE OR REPLACE TEMPORARY TABLE demo_sale (
    product_id BIGINT NOT NULL,
    hours_ago  INT NOT NULL,
    quantity   BIGINT NOT NULL,
    PRIMARY KEY (product_id, hours_ago)
) ENGINE = InnoDB;

INSERT INTO demo_sale (product_id, hours_ago, quantity) VALUES
    (101, 1, 4), (101, 3, 6), (101, 22, 3), (101, 26, 5), (101, 30, 2),
    (102, 1, 5), (102, 4, 4), (102, 23, 6), (102, 27, 3),
    (103, 2, 3), (103, 5, 2), (103, 24, 5),
    (104, 3, 4), (104, 25, 4),
    (105, 4, 1), (105, 22, 3), (105, 29, 2),
    (26, 96, 120), (26, 99, 80), (27, 97, 150), (106, 98, 90), (107, 100, 60), (108, 101, 45);

INSERT INTO sale_hourly (hour, product_id, quantity)
SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00') - INTERVAL hours_ago HOUR,
       product_id, quantity
  FROM demo_sale
 WHERE @opening;

INSERT INTO sale_window (product_id, quantity)
SELECT product_id, SUM(quantity) FROM demo_sale WHERE @opening GROUP BY product_id;

COMMIT;

DROP TEMPORARY TABLE demo_product, demo_sale;
