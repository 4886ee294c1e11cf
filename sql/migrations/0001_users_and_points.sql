-- Users and their points.
--
-- A user pays with points: prepaid won, charged in advance, spent by orders. Nothing else in the
-- shop is money, so nothing else can be lost.
--
-- Holds for every table of this database:
--
--   * Money is whole won in a BIGINT. No fraction, no float, no rounding.
--   * Times are UTC. DATETIME does not convert, so every session sets time_zone = '+00:00'.
--   * `version` rises by one with every change a rule of money or stock depends on. A writer says
--     which version it decided on (… WHERE id = ? AND version = ?); a row that has moved on is not
--     touched, and the writer reads again and decides again.
--   * `updated_at` is for people who look into a case, never for a decision: clocks go back.
--   * A row is hidden with `is_delete`, never removed, while orders or payments refer to it.
--   * CHECK, UNIQUE and FOREIGN KEY say what must never be. The service checks first and answers
--     with a message; the schema is the last guard, and its constraints carry names so that a log
--     line shows which rule was about to be broken.
--   * Text is utf8mb4 under Unicode 5.2 rules: it sorts Hangul and Latin names alike, tells all
--     planes apart, and exists in every MariaDB and MySQL a dump might be loaded into.
--
-- A migration may be killed between two statements, and MariaDB cannot roll DDL back. So each
-- statement can run again (IF NOT EXISTS), and a migration that was once applied never changes:
-- the next number does.

CREATE TABLE IF NOT EXISTS users (
    id         BIGINT       NOT NULL AUTO_INCREMENT,
    name       VARCHAR(100) NOT NULL,
    -- As the user wrote it, hyphens included: 010-1234-4112.
    hp_no      VARCHAR(20)  NOT NULL,
    -- What the user can spend, in won. The ceiling of 10^15 keeps a balance plus any single
    -- change far from the end of BIGINT, so an addition never overflows.
    point      BIGINT       NOT NULL DEFAULT 0,
    version    BIGINT       NOT NULL DEFAULT 0,
    created_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                                     ON UPDATE CURRENT_TIMESTAMP(6),
    is_delete  BOOLEAN      NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    CONSTRAINT users_point_in_range CHECK (point BETWEEN 0 AND 1000000000000000)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
