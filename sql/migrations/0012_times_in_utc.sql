-- Rows that are added by hand get their time in UTC, too, whatever the zone of the session or of the
-- server is. CURRENT_TIMESTAMP is of the session's zone; UTC_TIMESTAMP is not.
--
-- `updated_at` is still set by ON UPDATE CURRENT_TIMESTAMP, for which MariaDB has no such form. It is
-- for people only, and a session that sets time_zone = '+00:00' first writes it in UTC.
--
-- Only the tables' definitions change, at once and without a copy.

ALTER TABLE users
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE product
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE stock
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE orders
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE orders_item
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE payment_history
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
                             ON UPDATE CURRENT_TIMESTAMP(6),
    ALGORITHM = INSTANT;

ALTER TABLE idempotency_key
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)), ALGORITHM = INSTANT;

ALTER TABLE webhook_endpoint
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)), ALGORITHM = INSTANT;

ALTER TABLE stock_movement
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)), ALGORITHM = INSTANT;

ALTER TABLE point_adjustment
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6)), ALGORITHM = INSTANT;
