-- Cancelling orders, and finding products by name.

-- A cancel takes a key, too, and its route names the order: the same key for another order is
-- another key. New words go to the end of an ENUM, so that the rows that are there keep theirs. The
-- order stands last in the primary key, so that a program of before this migration, which does not
-- know it, still finds its keys by the first three columns and writes 0.
ALTER TABLE idempotency_key
    MODIFY COLUMN scope ENUM ('CHARGE', 'ORDER', 'CANCEL') NOT NULL,
    -- The order that the route names; 0 where it names none.
    ADD COLUMN IF NOT EXISTS order_id BIGINT NOT NULL DEFAULT 0 AFTER idem_key,
    DROP PRIMARY KEY,
    ADD PRIMARY KEY (user_id, scope, idem_key, order_id);

-- Products whose names begin with …, in the order of names: a page of them is one range of this
-- index, however many there are.
CREATE INDEX IF NOT EXISTS product_by_name ON product (name, id);
