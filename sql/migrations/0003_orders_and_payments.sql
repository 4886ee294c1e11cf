-- Orders, their lines, and the payments: what happened, in rows that are added and hardly ever
-- changed. An order, its lines, its payment, the stock and the points commit in one transaction,
-- so there is no order without its payment and no payment without its order.

-- Numbers for orders, drawn before the transaction that saves them.
--
-- An AUTO_INCREMENT would reveal the number only inside the transaction. Drawn before, the number
-- is known while a whole batch is being decided, and when the connection is lost at COMMIT the
-- service looks for exactly this order to learn whether it was saved. A number is unique, not
-- gapless: a refused order leaves a hole, and a restart of the server skips what was left of the
-- cache of 1,000.
CREATE SEQUENCE IF NOT EXISTS order_id
    START WITH 1 INCREMENT BY 1 MINVALUE 1 CACHE 1000 NOCYCLE ENGINE = InnoDB;

-- Numbers for payments, drawn in advance for the same reason: every accepted command, whether a
-- charge or an order, makes exactly one payment, so this number alone proves whether a batch of
-- commands was committed.
CREATE SEQUENCE IF NOT EXISTS payment_id
    START WITH 1 INCREMENT BY 1 MINVALUE 1 CACHE 1000 NOCYCLE ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS orders (
    -- From the sequence order_id, never AUTO_INCREMENT.
    id          BIGINT      NOT NULL,
    user_id     BIGINT      NOT NULL,
    -- The sum of quantity x price of its lines, in won.
    total_price BIGINT      NOT NULL,
    -- An order exists only once it is paid. Cancelling returns units and points.
    status      ENUM ('PAID', 'CANCELED') NOT NULL DEFAULT 'PAID',
    version     BIGINT      NOT NULL DEFAULT 0,
    created_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                     ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete   BOOLEAN     NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    -- A user's orders, newest first or last.
    KEY orders_by_user (user_id, id),
    CONSTRAINT orders_of_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT orders_total_not_negative CHECK (total_price >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One line a product: a request that names a product twice becomes one line of the sum, hence at
-- most 100 x 1,000,000 units.
CREATE TABLE IF NOT EXISTS orders_item (
    order_id   BIGINT      NOT NULL,
    product_id BIGINT      NOT NULL,
    quantity   BIGINT      NOT NULL,
    -- Won a unit at the time of the sale: a later price change does not rewrite history.
    price      BIGINT      NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                    ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete  BOOLEAN     NOT NULL DEFAULT FALSE,
    PRIMARY KEY (order_id, product_id),
    -- The foreign key needs it, and an audit reads a product's sales by it.
    KEY orders_item_by_product (product_id, order_id),
    CONSTRAINT orders_item_of_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT orders_item_of_product FOREIGN KEY (product_id) REFERENCES product (id),
    CONSTRAINT orders_item_quantity_in_range CHECK (quantity BETWEEN 1 AND 100000000),
    CONSTRAINT orders_item_price_not_negative CHECK (price >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Every movement of points:
--
--   pay_method  status      order_id   meaning
--   CHARGE      COMPLETED   NULL       the user put points on the account
--   POINT       COMPLETED   the order  an order took points
--   POINT       REFUNDED    the order  a cancelled order gave them back
--
-- So a user's balance is the opening balance + charges - payments + refunds, and an audit says so.
CREATE TABLE IF NOT EXISTS payment_history (
    -- From the sequence payment_id.
    id          BIGINT      NOT NULL,
    user_id     BIGINT      NOT NULL,
    order_id    BIGINT      NULL,
    -- Won, always positive or zero: pay_method and status say the direction.
    total_price BIGINT      NOT NULL,
    pay_method  ENUM ('CHARGE', 'POINT') NOT NULL,
    status      ENUM ('COMPLETED', 'REFUNDED') NOT NULL,
    created_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                     ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete   BOOLEAN     NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    -- Exactly one debit and at most one refund an order. (NULLs are not equal to each other, so
    -- charges are not limited.)
    UNIQUE KEY payment_history_once_an_order (order_id, status),
    KEY payment_history_by_user (user_id, id),
    CONSTRAINT payment_history_of_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT payment_history_of_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT payment_history_total_not_negative CHECK (total_price >= 0),
    -- A charge belongs to no order, and everything else to one.
    CONSTRAINT payment_history_order_unless_charge
        CHECK ((pay_method = 'CHARGE') = (order_id IS NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
