-- What others are told: events, who gets them, and what became of each delivery.
--
-- An event is a row that commits in the transaction that makes it true. So there is none of
-- something that was rolled back, and none goes missing because a process died between a commit and
-- a message. `commerce work` takes it from there:
--
--   outbox            what has happened, once;
--   delivery          one event for one target, until it has arrived or is given up;
--   webhook_endpoint  the targets that other systems registered. Target 0 is the shop's own
--                     notification and has no row;
--   notification      what the buyers were told, so that a repeated event tells them nothing twice.
--
-- Delivery is at least once and in no order: a worker that dies after sending leaves a delivery
-- that is sent again. Receivers tell repeats by the event's id.
--
-- Workers pass rows to each other by locks (FOR UPDATE SKIP LOCKED) and by due_at, never by the
-- last id seen: ids are made before the commit, and commits overtake each other.

CREATE TABLE IF NOT EXISTS outbox (
    -- UUID version 7: it begins with its time, so new rows go to the end of the table. A server
    -- compares this type in the order of the text from 10.11.5 on; nothing but speed counts on it.
    id            UUID        NOT NULL,
    -- What the event is about, as Debezium's outbox router names it.
    aggregate     ENUM ('ORDER', 'USER') NOT NULL,
    aggregate_id  BIGINT      NOT NULL,
    -- order.paid, order.cancelled, points.charged
    type          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Of the payload's form. Members may be added to a form; anything else is a new version.
    version       SMALLINT    NOT NULL,
    -- Numbers only: whoever may know more about a user can ask for it.
    payload       JSON        NOT NULL,
    -- W3C trace id of the request, in lower case hexadecimal.
    trace_id      CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    created_at    DATETIME(6) NOT NULL,
    -- When its deliveries were made, one for each target of that moment.
    dispatched_at DATETIME(6) NULL,
    PRIMARY KEY (id),
    -- What waits for its deliveries (NULL), the oldest first; and what is old enough to be purged.
    KEY outbox_by_dispatch (dispatched_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- An endpoint that is switched off keeps its row, which its deliveries name.
CREATE TABLE IF NOT EXISTS webhook_endpoint (
    id                    BIGINT         NOT NULL AUTO_INCREMENT,
    url                   VARCHAR(2048) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The key of the signatures, raw. While a receiver changes over, both keys sign.
    secret                VARBINARY(64)  NOT NULL,
    previous_secret       VARBINARY(64)  NULL,
    previous_secret_until DATETIME(6)    NULL,
    -- Off since; NULL while it is on. By hand, or because the receiver said that it is gone.
    disabled_at           DATETIME(6)    NULL,
    disabled_reason       VARCHAR(255)   NULL,
    created_at            DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (id),
    -- Standard Webhooks: 24 to 64 bytes.
    CONSTRAINT webhook_endpoint_secret_long_enough CHECK (LENGTH(secret) >= 24),
    CONSTRAINT webhook_endpoint_previous_has_an_end
        CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)),
    CONSTRAINT webhook_endpoint_off_for_a_reason
        CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- PENDING becomes DELIVERED; or DEAD, when the receiver refused it for good or too often; or
-- CANCELED, when its target was switched off. A replay makes it PENDING again.
CREATE TABLE IF NOT EXISTS delivery (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    event_id    UUID         NOT NULL,
    -- 0: the notification. Otherwise a webhook_endpoint.
    target_id   BIGINT       NOT NULL,
    state       ENUM ('PENDING', 'DELIVERED', 'DEAD', 'CANCELED') NOT NULL DEFAULT 'PENDING',
    -- How often a worker took it. It also says which worker's word counts: one that came back from
    -- the dead finds a greater number and marks nothing.
    attempts    INT          NOT NULL DEFAULT 0,
    -- When it is to be tried. A worker that takes it moves this to the end of its lease: should it
    -- die, the delivery is due again by itself.
    due_at      DATETIME(6)  NOT NULL,
    -- Of the last attempt that failed, in words.
    last_error  VARCHAR(255) NULL,
    finished_at DATETIME(6)  NULL,
    PRIMARY KEY (id),
    -- An event goes to a target once; and all deliveries of an event.
    UNIQUE KEY delivery_once_a_target (event_id, target_id),
    -- What a target's worker takes next.
    KEY delivery_by_due (target_id, state, due_at),
    -- The purge, oldest first; the list of what is DEAD.
    KEY delivery_by_end (state, finished_at),
    CONSTRAINT delivery_of_event FOREIGN KEY (event_id) REFERENCES outbox (id),
    CONSTRAINT delivery_pending_until_finished
        CHECK ((state = 'PENDING') = (finished_at IS NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Without a foreign key: a message that waited in a queue may outlive its event.
CREATE TABLE IF NOT EXISTS notification (
    event_id UUID        NOT NULL,
    sent_at  DATETIME(6) NOT NULL,
    PRIMARY KEY (event_id),
    -- The purge, oldest first.
    KEY notification_by_age (sent_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
