-- What was already answered, so that asking twice does not happen twice.
--
-- The row commits in the same transaction as the effect of its request. Whoever finds the row
-- sends the stored response again, byte for byte, and touches nothing; whoever does not find it may
-- go ahead, and the primary key lets only one of two such requests commit. memcached answers the
-- same question faster, but a lost or flushed cache can only cost time, never a second charge.
--
-- Only successes are stored: a refused request leaves its key free.
CREATE TABLE IF NOT EXISTS idempotency_key (
    user_id     BIGINT            NOT NULL,
    -- The route. A key used for a charge says nothing about an order.
    scope       ENUM ('CHARGE', 'ORDER') NOT NULL,
    -- As the client sent it: 1-255 visible ASCII characters, told apart to the letter's case.
    idem_key    VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- SHA-256 of the request. The same key under another request is a client's mistake (422), and
    -- answering it with the stored response would hide that.
    fingerprint BINARY(32)        NOT NULL,
    -- The HTTP status and body that were sent. Bytes, not text: a replay is the same bytes.
    status      SMALLINT UNSIGNED NOT NULL,
    response    VARBINARY(4096)   NOT NULL,
    created_at  DATETIME(6)       NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (user_id, scope, idem_key),
    -- For the purge of what is older than 72 hours, oldest first in small bites.
    KEY idempotency_key_by_age (created_at),
    CONSTRAINT idempotency_key_of_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
