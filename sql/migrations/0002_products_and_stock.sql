-- The catalogue, and what is left of it.
--
-- Two tables, because they change at different times for different reasons: a product when
-- somebody edits the catalogue, its stock with every sale. A sale therefore never invalidates a
-- reader of names and prices, and a price change never competes with a sale.

CREATE TABLE IF NOT EXISTS product (
    id         BIGINT       NOT NULL AUTO_INCREMENT,
    name       VARCHAR(200) NOT NULL,
    -- Won a unit, now. What a buyer paid stands in orders_item.price.
    -- The ceiling makes an order's total safe: 100 lines x 1,000,000 units x 10^9 won is 10^17,
    -- and a BIGINT ends at 9.2 x 10^18.
    price      BIGINT       NOT NULL,
    version    BIGINT       NOT NULL DEFAULT 0,
    created_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                     ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete  BOOLEAN      NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    CONSTRAINT product_price_in_range CHECK (price BETWEEN 0 AND 1000000000)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Units that can still be sold. The version is what two buyers of the last unit race for; the
-- CHECK is why neither a bug nor a second process can sell a unit that is not there.
CREATE TABLE IF NOT EXISTS stock (
    product_id BIGINT      NOT NULL,
    quantity   BIGINT      NOT NULL,
    version    BIGINT      NOT NULL DEFAULT 0,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                    ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete  BOOLEAN     NOT NULL DEFAULT FALSE,
    PRIMARY KEY (product_id),
    CONSTRAINT stock_of_product FOREIGN KEY (product_id) REFERENCES product (id),
    CONSTRAINT stock_quantity_in_range CHECK (quantity BETWEEN 0 AND 1000000000000)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
