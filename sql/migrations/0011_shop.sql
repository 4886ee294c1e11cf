-- Which copy of the shop's data this is.
--
-- The server itself writes row_start, a hidden column of a table with system versioning, when it writes
-- the row; a dump does not have it. So data that were loaded from a dump have another row_start than
-- those that were dumped, and live_generation, which the dump does have, names the others: they are a
-- copy, and stay quiet until an operator calls them the shop (`commerce resume`). Replicas, nodes of a
-- cluster and files that were copied keep row_start, so nobody is silenced by a failover.

CREATE TABLE IF NOT EXISTS shop (
    id              TINYINT      NOT NULL DEFAULT 1,
    -- The row_start of the data that are the shop; NULL: these are not. A change of it alone leaves
    -- row_start as it is.
    live_generation TIMESTAMP(6) NULL DEFAULT NULL WITHOUT SYSTEM VERSIONING,
    PRIMARY KEY (id),
    CONSTRAINT shop_is_one CHECK (id = 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci WITH SYSTEM VERSIONING;

-- What is there when this table comes is the shop. In one statement, so that a run that is killed
-- leaves no row, or one that is live.
INSERT IGNORE INTO shop (id, live_generation) VALUES (1, NOW(6));
