-- Writes into the books what was changed by hand: stock and points as they are count as right.
--
--     mariadb … DATABASE < sql/reconcile.sql
--
-- Each product whose movements do not make its stock gets an ADJUSTMENT of the difference, or, if it
-- has none yet, its OPENING; each user likewise. Orders and charges may go on meanwhile: each
-- statement looks at both sides at one moment, and they never change the difference. Look at what
-- `commerce audit` says first: this makes it fall silent about them.

SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO';
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;

INSERT INTO stock_movement (product_id, cause, quantity)
SELECT stock.product_id, IF(COUNT(m.product_id) = 0, 'OPENING', 'ADJUSTMENT'),
       stock.quantity - COALESCE(SUM(m.quantity), 0) AS missing
  FROM stock LEFT JOIN stock_movement m ON m.product_id = stock.product_id
 GROUP BY stock.product_id
HAVING missing <> 0 OR COUNT(m.product_id) = 0;

INSERT INTO point_adjustment (user_id, cause, amount)
SELECT users.id, IF(COALESCE(entries.opened, 0), 'ADJUSTMENT', 'OPENING'),
       users.point - COALESCE(entries.amount, 0)
  FROM users LEFT JOIN (
       SELECT user_id, SUM(amount) AS amount, MAX(opened) AS opened
         FROM (SELECT user_id, amount, TRUE AS opened FROM point_adjustment
               UNION ALL
               SELECT user_id,
                      IF(pay_method = 'CHARGE' OR status = 'REFUNDED', 1, -1) * total_price, FALSE
                 FROM payment_history) AS entry
        GROUP BY user_id) AS entries ON entries.user_id = users.id
 WHERE users.point <> COALESCE(entries.amount, 0);
