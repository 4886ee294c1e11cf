-- Why stock and points are what they are, so that `commerce audit` can tell whether they are right:
--
--   stock.quantity = SUM(stock_movement.quantity)
--   users.point    = SUM(point_adjustment.amount) + charges - payments + refunds (payment_history)
--
-- Whoever changes a stock writes a movement in the same transaction, and whoever changes points a
-- payment. What is changed by hand gets an ADJUSTMENT, for which sql/reconcile.sql is there.

-- Every change of a stock, in units.
--
-- An order writes here once a line, so there is one B-tree and no foreign key: the key begins with
-- the product, whose movements are summed, and goes on with the order, whose lines they are held
-- against. The lines beside them have the foreign keys.
CREATE TABLE IF NOT EXISTS stock_movement (
    product_id BIGINT      NOT NULL,
    -- 0 where no order is the cause.
    order_id   BIGINT      NOT NULL DEFAULT 0,
    -- OPENING: what was there when the product, or this table, came. Orders of before it have no
    -- movements.
    cause      ENUM ('OPENING', 'ORDER', 'CANCEL', 'ADJUSTMENT') NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- Below zero for units that left.
    quantity   BIGINT      NOT NULL,
    PRIMARY KEY (product_id, order_id, cause, created_at),
    CONSTRAINT stock_movement_of_an_order_or_none
        CHECK ((order_id > 0) = (cause IN ('ORDER', 'CANCEL')))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Points that no payment explains: what a user opened with, and what was put right by hand. Won.
CREATE TABLE IF NOT EXISTS point_adjustment (
    user_id    BIGINT      NOT NULL,
    cause      ENUM ('OPENING', 'ADJUSTMENT') NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- Below zero for points that were taken away.
    amount     BIGINT      NOT NULL,
    PRIMARY KEY (user_id, cause, created_at),
    CONSTRAINT point_adjustment_of_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The events of an order, which the audit looks for, and of a user. Orders ascend, so they are
-- added at one place.
CREATE INDEX IF NOT EXISTS outbox_by_aggregate ON outbox (aggregate, aggregate_id, type);

-- What is there opens now. One consistent look at both sides, and no lock on either.
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;

INSERT INTO stock_movement (product_id, cause, quantity)
SELECT product_id, 'OPENING', quantity FROM stock
 WHERE NOT EXISTS (SELECT 1 FROM stock_movement m WHERE m.product_id = stock.product_id);

INSERT INTO point_adjustment (user_id, cause, amount)
SELECT users.id, 'OPENING', users.point - COALESCE(paid.amount, 0)
  FROM users LEFT JOIN (
       SELECT user_id, SUM(IF(pay_method = 'CHARGE' OR status = 'REFUNDED', 1, -1) * total_price)
           AS amount
         FROM payment_history GROUP BY user_id) AS paid ON paid.user_id = users.id
 WHERE users.point <> COALESCE(paid.amount, 0)
   AND NOT EXISTS (SELECT 1 FROM point_adjustment a WHERE a.user_id = users.id);
