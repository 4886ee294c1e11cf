-- What sells: units a product and hour, and their sum over the last 72 hours.
--
-- "The five best sellers of the last three days" over the order lines would read a million rows
-- to answer with five. Instead the order's own transaction counts:
--
--   sale_hourly  one row a product and hour: the sales, in buckets that can be dropped when old;
--   sale_window  one row a product: the sum of the product's sale_hourly rows that still exist.
--
-- One rule holds them together: whoever changes sale_hourly changes sale_window by the same units
-- in the same transaction. So at every commit, for every product,
--
--   sale_window.quantity = SUM(sale_hourly.quantity)            (no row counts as 0)
--
-- and the best sellers are the first rows of the index sale_window_best, whatever the size of the
-- catalogue.
--
--   an order    adds its units to the bucket of its hour, and to the window;
--   a cancel    subtracts them from the bucket of the order's hour, and from the window. Where
--               that bucket has expired, its units left the window with it: nothing to do;
--   the expiry  deletes buckets whose hour ended at least 72 hours ago and subtracts them from the
--               window, a bounded number a transaction (DELETE … ORDER BY hour, product_id LIMIT n
--               RETURNING product_id, quantity). A thread of the service does it every few seconds,
--               so a stretch without any order cannot keep old sales alive.
--
-- Every writer takes the rows of sale_hourly first and those of sale_window second, each in the
-- order of product_id, so that two writers wait for each other instead of deadlocking.
--
-- The CHECKs stop a second subtraction: a bucket or a window below zero means a rule was broken,
-- and the transaction fails rather than the count drifting away unnoticed.

CREATE TABLE IF NOT EXISTS sale_hourly (
    -- UTC, the whole hour in which the units were sold.
    hour       DATETIME NOT NULL,
    product_id BIGINT   NOT NULL,
    quantity   BIGINT   NOT NULL,
    -- By hour first: an hour's writers meet at one end, and the expiry reads the other.
    PRIMARY KEY (hour, product_id),
    -- The foreign key needs it, and an audit sums a product's buckets by it.
    KEY sale_hourly_by_product (product_id, hour),
    CONSTRAINT sale_hourly_of_product FOREIGN KEY (product_id) REFERENCES product (id),
    CONSTRAINT sale_hourly_whole_hour CHECK (MINUTE(hour) = 0 AND SECOND(hour) = 0),
    CONSTRAINT sale_hourly_quantity_not_negative CHECK (quantity >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE IF NOT EXISTS sale_window (
    product_id BIGINT NOT NULL,
    quantity   BIGINT NOT NULL,
    PRIMARY KEY (product_id),
    -- The order of the best sellers: most units first, ties to the smaller id.
    KEY sale_window_best (quantity DESC, product_id),
    CONSTRAINT sale_window_of_product FOREIGN KEY (product_id) REFERENCES product (id),
    CONSTRAINT sale_window_quantity_not_negative CHECK (quantity >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
