# The guards that script/mutations breaks, and the tests that have to notice. Sourced by it.
# shellcheck shell=bash disable=SC2016 # The dollars and backticks are Swift's and SQL's.

# mutation WHAT FILE OLD NEW SUITE TEST: where OLD stands in FILE stands NEW instead while WHAT is so.
# In Swift `MUTATED` says whether it is: all of them are compiled into one program.

# --- The schema -----------------------------------------------------------------------------------

mutation "a key is not unique" sql/migrations/0006_cancels_and_lists.sql \
    'ADD PRIMARY KEY (user_id, scope, idem_key, order_id)' \
    'ADD KEY (user_id, scope, idem_key, order_id)' \
    GroupCommits 'a key that another process commits meanwhile is replayed, not used again'

mutation "an order is paid and refunded any number of times" sql/migrations/0003_orders_and_payments.sql \
    'UNIQUE KEY payment_history_once_an_order' 'KEY payment_history_once_an_order' \
    SchemaGuards 'every constraint refuses what breaks it'

mutation "a payment may name an order that is not there" sql/migrations/0003_orders_and_payments.sql \
    'CONSTRAINT payment_history_of_order FOREIGN KEY (order_id) REFERENCES orders (id),' '' \
    SchemaGuards 'every constraint refuses what breaks it'

mutation "an event has any number of deliveries to a target" sql/migrations/0007_events.sql \
    'UNIQUE KEY delivery_once_a_target' 'KEY delivery_once_a_target' \
    SchemaGuards 'every constraint refuses what breaks it'

# check MIGRATION CONSTRAINT CONDITION: without this CHECK.
check() {
    mutation "no CHECK $2" "sql/migrations/$1.sql" "CHECK ($3)" 'CHECK (TRUE)' \
        SchemaGuards 'every constraint refuses what breaks it'
}

check 0001_users_and_points users_point_in_range 'point BETWEEN 0 AND 1000000000000000'
check 0002_products_and_stock product_price_in_range 'price BETWEEN 0 AND 1000000000'
check 0002_products_and_stock stock_quantity_in_range 'quantity BETWEEN 0 AND 1000000000000'
check 0003_orders_and_payments orders_item_quantity_in_range 'quantity BETWEEN 1 AND 100000000'
check 0003_orders_and_payments orders_item_price_not_negative 'price >= 0'
check 0003_orders_and_payments payment_history_order_unless_charge \
    "(pay_method = 'CHARGE') = (order_id IS NULL)"
check 0005_sales sale_hourly_whole_hour 'MINUTE(hour) = 0 AND SECOND(hour) = 0'
check 0007_events webhook_endpoint_secret_long_enough 'LENGTH(secret) >= 24'
check 0007_events delivery_pending_until_finished "(state = 'PENDING') = (finished_at IS NULL)"
check 0008_movements stock_movement_of_an_order_or_none \
    "(order_id > 0) = (cause IN ('ORDER', 'CANCEL'))"

# Where the condition stands twice in a file.
for constraint in orders_total_not_negative payment_history_total_not_negative; do
    mutation "no CHECK $constraint" sql/migrations/0003_orders_and_payments.sql \
        "CONSTRAINT $constraint CHECK (total_price >= 0)" "CONSTRAINT $constraint CHECK (TRUE)" \
        SchemaGuards 'every constraint refuses what breaks it'
done
for constraint in sale_hourly_quantity_not_negative sale_window_quantity_not_negative; do
    mutation "no CHECK $constraint" sql/migrations/0005_sales.sql \
        "CONSTRAINT $constraint CHECK (quantity >= 0)" "CONSTRAINT $constraint CHECK (TRUE)" \
        SchemaGuards 'every constraint refuses what breaks it'
done

# --- The scripts ----------------------------------------------------------------------------------

mutation "a part that ended stays away" script/watch.sh \
    '((now_ms < part_due_ms[$name])) || launch_again "$name"' 'true' \
    Supervision 'a part that is killed is started again, and orders go on by themselves'

mutation "the workers of a killed nginx stay" script/watch.sh 'while kill -s KILL' 'while false' \
    Supervision 'a part that is killed is started again, and orders go on by themselves'

mutation "a part that fails is started for ever" script/watch.sh \
    'if ((failures >= failures_max)); then' 'if false; then' \
    Supervision 'a part that fails again and again ends the run with its log'

mutation "a responder has the broker's password" script/parts.sh \
    'local withheld=$notification_settings' 'local withheld=""' \
    Supervision 'a part that is killed is started again, and orders go on by themselves'

mutation "the caller's environment reaches the parts" script/lib.sh \
    'unset "$name" 2>/dev/null ||' 'true ||' \
    Scripts 'a shop runs whoever starts it, and its files are its owner'"'"'s alone'

mutation "anybody may write to the run folder" script/lib.sh '8#$mode & 8#022' '0' \
    Scripts 'a run folder that others could change is refused'

mutation "a link is taken for the lock" script/lib.sh '[[ ! -L $folder/lock ]] ||' 'true ||' \
    Scripts 'a lock that is a link is refused, and what it leads to is left alone'

mutation "MYSQL_HOST goes before --socket" sql/client.sh \
    '*) unset "$name" 2>/dev/null ||' '*) true ||' \
    Scripts 'a script of sql goes to the server that its options name'

# --- The rules ------------------------------------------------------------------------------------

mutation "more is sold than is there" Sources/Commerce/CheckoutPlan.swift \
    'guard shortages.isEmpty else' 'guard MUTATED || shortages.isEmpty else' \
    Batches 'a hundred buyers cannot buy eleven of ten'

mutation "more is spent than is there" Sources/Commerce/CheckoutPlan.swift \
    'guard user.points >= total else' 'guard MUTATED || user.points >= total else' \
    Orders 'one won too few is too few'

mutation "any price is taken" Sources/Commerce/CheckoutPlan.swift \
    'guard payment == total else' 'guard MUTATED || payment == total else' \
    Orders 'an order that pays another sum is told the sum expected'

mutation "an order is canceled twice" Sources/Commerce/CheckoutPlan.swift \
    'guard placed.status == .paid,' 'guard MUTATED || placed.status == .paid,' \
    Cancels 'an order is canceled once, in one batch too'

mutation "a key fits another request" Sources/Commerce/CheckoutPlan.swift \
    'return record.fingerprint == idempotency.fingerprint
' 'return MUTATED || record.fingerprint == idempotency.fingerprint
' \
    IdempotencyKeys 'a used key with another request is a reused key'

mutation "a key fits another request of its batch" Sources/Commerce/CheckoutPlan.swift \
    'return fingerprint == idempotency.fingerprint ?' \
    'return MUTATED || fingerprint == idempotency.fingerprint ?' \
    IdempotencyKeys 'another request under a key of the batch is a reused key'

# --- The transaction ------------------------------------------------------------------------------

writing=Sources/Store/Writes+Writing.swift

mutation "stock is written whatever its version" $writing \
    'WHERE product_id = ? AND version = ?' \
    'WHERE product_id = ? AND (version = ? OR \(MUTATED))' \
    GroupCommits 'a lost race is planned again on fresh rows'

mutation "a stock that was not written is not noticed" $writing \
    'if written != rows.count { throw LostRace() }
    }
}' \
    'if !MUTATED && written != rows.count { throw LostRace() }
    }
}' \
    GroupCommits 'a lost race is planned again on fresh rows'

mutation "points are written whatever their version" $writing \
    'version = version + 1 WHERE id = ? AND version = ?"' \
    'version = version + 1 WHERE id = ? AND (version = ? OR \(MUTATED))"' \
    GroupCommits 'points that another process changes meanwhile are read again'

mutation "points that were not written are not noticed" $writing \
    'if written != rows.count { throw LostRace() }
    }

    private func writeCancels' \
    'if !MUTATED && written != rows.count { throw LostRace() }
    }

    private func writeCancels' \
    GroupCommits 'points that another process changes meanwhile are read again'

mutation "an order is canceled whatever its version and status" $writing \
    "WHERE id = ? AND version = ? AND status = 'PAID'" \
    "WHERE id = ? AND (version = ? AND status = 'PAID' OR \\(MUTATED))" \
    CancelBatches 'an order that another process cancels meanwhile is not canceled again'

mutation "an order that was not canceled is not noticed" $writing \
    'if written != rows.count { throw LostRace() }
    }

    private func writeOrders' \
    'if !MUTATED && written != rows.count { throw LostRace() }
    }

    private func writeOrders' \
    CancelBatches 'an order that another process cancels meanwhile is not canceled again'

mutation "a key is not written" $writing \
    'try writeKeys(on: connection, renderer)' \
    'if !MUTATED { try writeKeys(on: connection, renderer) }' \
    IdempotencyRules 'MariaDB knows the answer when memcached has forgotten it'

mutation "an event is not written" $writing \
    'try writeEvents(on: connection, at: now)' \
    'if !MUTATED { try writeEvents(on: connection, at: now) }' \
    Outboxes 'a batch writes its events in order, at the time of its orders'

mutation "a movement of stock is not written" $writing \
    'try writeMovements(on: connection)' 'if !MUTATED { try writeMovements(on: connection) }' \
    Audits 'nothing is wrong with a shop that has traded'

mutation "a lost answer to COMMIT is taken for a failure" Sources/Store/Settler.swift \
    'if let result = try resolve(unknown) { return result }' \
    'if !MUTATED, let result = try resolve(unknown) { return result }' \
    LedgerFaults 'a COMMIT whose answer is lost is answered truly and not repeated'

# --- The caches -----------------------------------------------------------------------------------

mutation "a request leaves no marker while it is handled" Sources/Store/IdempotentRequests.swift \
    'let isFirst = try memcached.add(' \
    'let isFirst = try MUTATED ? true : memcached.add(' \
    IdempotencyRules 'while the first is being handled the same key is 409'

mutation "a cached answer fits another request" Sources/Store/IdempotentRequests.swift \
    'return isSame ? .replayed(answer) : .keyReused' \
    'return MUTATED || isSame ? .replayed(answer) : .keyReused' \
    IdempotencyRules 'another request under the same key is 422'

mutation "a kept answer may have any status" Sources/Commerce/Command.swift \
    'guard (200...299).contains(status) else' 'guard MUTATED || (200...299).contains(status) else' \
    CachePeers 'a stored answer with a status that none has ends no process'

mutation "an entry without a token is shown" Sources/Store/Catalogue.swift \
    'guard let token = entry.cas else { return nil }' \
    'guard let token = MUTATED ? entry.cas ?? 0 : entry.cas else { return nil }' \
    CachePeers 'on a memcached without tokens every read shows the last order'

mutation "a broker may confirm what was not sent" Sources/AMQP/Publisher.swift \
    'return isBefore || place >= ids.count ? nil : Int(place)' \
    'return MUTATED ? 0 : isBefore || place >= ids.count ? nil : Int(place)' \
    BrokerAnswers 'a frame that a publisher cannot make sense of ends its connection'

mutation "a refresh overwrites what it has not seen" Sources/Store/Catalogue.swift \
    'let result = try memcached.cas(' \
    'if MUTATED {
            try memcached.set(key, page.entry, expirySeconds: expirySeconds)
            return true
        }
        let result = try memcached.cas(' \
    CataloguePages 'a slow refresh cannot bring old stock back, and a new one is shown'

mutation "a buyer is answered before readers see the sale" Sources/Store/Lane.swift \
    'refresh(settled.settlement.products)' \
    'if !MUTATED { refresh(settled.settlement.products) }' \
    Caches 'a buyer sees their own order at once'

mutation "a reader who was slow fills the cache" Sources/Store/Catalogue.swift \
    'guard start.duration(to: .now) < fillLimit else' \
    'guard MUTATED || start.duration(to: .now) < fillLimit else' \
    Caches 'a very late filler cannot bring old stock back either'

# --- The worker -----------------------------------------------------------------------------------

mutation "a dispatch waits for what another has locked" Sources/Store/Outbox.swift \
    'ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED' \
    'ORDER BY id LIMIT ? FOR UPDATE \(MUTATED ? "" : "SKIP LOCKED")' \
    DeliveryTests 'an event that is not committed yet is passed over, not waited for'

mutation "a claim locks nothing" Sources/Store/Deliveries.swift \
    'ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED' \
    'ORDER BY due_at LIMIT ? \(MUTATED ? "" : "FOR UPDATE SKIP LOCKED")' \
    DeliveryTests 'what another worker is about to claim is passed over, not waited for'

mutation "a lease of a dispatch ends at once" Sources/Store/Deliveries.swift \
    'SELECT id, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND' \
    'SELECT id, ?, ?, UTC_TIMESTAMP(6) + INTERVAL \(MUTATED ? "0 *" : "") ? MICROSECOND' \
    DeliveryTests 'what is leased at its dispatch is claimed by nobody until the lease ends'

mutation "a lease of a claim ends at once" Sources/Store/Deliveries.swift \
    'due_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND' \
    'due_at = UTC_TIMESTAMP(6) + INTERVAL \(MUTATED ? "0 *" : "") ? MICROSECOND' \
    DeliveryTests "a delivery is its worker's until the lease ends, and then the next one's"

mutation "a worker whose lease has ended still marks what has arrived" \
    Sources/Store/Deliveries+Marking.swift \
    ")) AND attempts = ? AND state = 'PENDING'" \
    ")) AND (attempts = ? OR \\(MUTATED)) AND state = 'PENDING'" \
    DeliveryTests 'what is leased at its dispatch is claimed by nobody until the lease ends'

mutation "a worker whose lease has ended still marks" Sources/Store/Deliveries+Marking.swift \
    "WHERE id = ? AND attempts = ? AND state = 'PENDING'" \
    "WHERE id = ? AND (attempts = ? OR \\(MUTATED)) AND state = 'PENDING'" \
    DeliveryTests "a delivery is its worker's until the lease ends, and then the next one's"

mutation "a delivery is marked before it is made" Sources/Events/Courier.swift \
    'let results = try target.deliver(' \
    'if MUTATED {
                add(claimed.map { Mark($0, .delivered) }, leasedUntil: leaseEnd)
            }
            let results = try target.deliver(' \
    Workers 'what a killed worker had in hand is delivered by another when its lease ends'

mutation "a notification is noted before it is sent" Sources/Events/NotificationService.swift \
    'let results = try send(messages)' \
    'if MUTATED { record(messages.map(\.eventID)) }
            let results = try send(messages)' \
    Notifying 'what the channel did not take is not noted and comes again'

mutation "a notification that was sent is sent again" Sources/Events/NotificationService.swift \
    'batch.drop(try asking { try notifications.sent(among: batch.pendingIDs) })' \
    'if !MUTATED { batch.drop(try asking { try notifications.sent(among: batch.pendingIDs) }) }' \
    Notifying 'an event that comes again makes no second message'

mutation "a queue is believed" Sources/Events/QueuedEvent.swift \
    'type == event.type && payload == event.payload' \
    '(MUTATED || type == event.type && payload == event.payload)' \
    Queueing 'an event that the shop did not write is told to nobody'

mutation "a batch that is refused is not divided" Sources/Events/Division.swift \
    'case .refused(let cause) where items.count == 1:' \
    'case .refused(let cause) where MUTATED:
                return items.map { _ in .failed(cause: cause, retryAfterSeconds: nil) }
            case .refused(let cause) where items.count == 1:' \
    Notifying 'an event that the database refuses fails by itself, and stops no other'

mutation "an answer without its whole body is none" Sources/HTTPClient/Transfer.swift \
    'guard let status else' 'guard let status, !MUTATED || code == CURLE_OK else' \
    Answers 'a body that breaks off changes nothing about the status'

mutation "a signature leaves the time out" Sources/Events/WebhookSignature.swift \
    'Array("\(id).\(seconds).".utf8)' 'Array("\(id).\(MUTATED ? 0 : seconds).".utf8)' \
    WebhookTargetTests "the signature is that of the standard's own example"

mutation "a webhook goes to any address" Sources/HTTPClient/Transfer.swift \
    'guard target.isPublic else' 'guard MUTATED || target.isPublic else' \
    Guard 'loopback is refused under all its names, before a connection'

# --- Copies, other machines, and what was typed -----------------------------------------------------

mutation "a copy of the shop tells of its events" Sources/Store/ShopState.swift \
    'static let isLiveCondition = "live_generation <=> row_start"' \
    'static let isLiveCondition = MUTATED ? "TRUE" : "live_generation <=> row_start"' \
    Copies 'a restored dump tells nobody until an operator says that it is the shop'

mutation "a restored database finds what was cached before" Sources/CommerceTool/Startup.swift \
    'prefix: "commerce.\(name).\(generation).")' \
    'prefix: "commerce.\(name).\(MUTATED ? "" : generation).")' \
    Copies 'a dump that is loaded over its own database is a copy with a cache of its own'

mutation "a false MariaDB gets the password" Sources/MariaDB/SessionSetup.swift \
    'mysql_options(self, MARIADB_OPT_RESTRICTED_AUTH, Self.authentications)' \
    'if !MUTATED { mysql_options(self, MARIADB_OPT_RESTRICTED_AUTH, Self.authentications) }' \
    FalseServers 'it never gets the password'

mutation "another machine needs no TLS" Sources/CommerceTool/Plaintext.swift \
    'if allowed.contains(part) || Host(host).isThisMachine { return }' \
    'if MUTATED || allowed.contains(part) || Host(host).isThisMachine { return }' \
    Plaintexts 'a setting that leads elsewhere without TLS stops the start'

mutation "output that was not written is not noticed" Sources/CommerceTool/Output.swift \
    '} else if errno != EINTR {' '} else if MUTATED { return } else if errno != EINTR {' \
    OperatorCommands 'output that cannot be written is a failure, and is said'

# --- The database's errors and numbers --------------------------------------------------------------

mutation "numbers that are taken are not passed" Sources/Store/Settler.swift \
    'let drawn = numbers' 'let drawn = MUTATED ? Numbers() : numbers' \
    TakenNumbers 'an order succeeds although the next order numbers are taken'

mutation "a list in SQL has any number of elements" Sources/Store/Batch.swift \
    'static let elementsMax = 4_096' 'static let elementsMax = MUTATED ? 1_000_000 : 4_096' \
    LongLists 'products and users of a list of any length are found once'

mutation "an unfit session may be used again" Sources/MariaDB/ErrorKind.swift \
    'case .connectionLost, .sessionUnfit, .unavailable: true' \
    'case .connectionLost, .sessionUnfit, .unavailable: !MUTATED' \
    ErrorKinds 'an error of the table ends the session, is a defect, or neither, by its kind'

mutation "readyz rehearses nothing" Sources/Store/Rehearsal.swift \
    'for statement in [read] + writes {' 'for statement in MUTATED ? ["DO 1"] : [read] + writes {' \
    UnfitDatabases 'a read-only server takes no orders, shows what there is, and says so'

mutation "times of rows added by hand are of the session's zone" sql/migrations/0012_times_in_utc.sql \
    'ALTER TABLE stock_movement
    ALTER COLUMN created_at SET DEFAULT (UTC_TIMESTAMP(6))' \
    'ALTER TABLE stock_movement
    ALTER COLUMN created_at SET DEFAULT (CURRENT_TIMESTAMP(6))' \
    TimeZones 'in Seoul the audit sees what was done by hand as it is'
# --- What others send -----------------------------------------------------------------------------

mutation "a member may be there twice" Sources/StrictJSON/JSONParser.swift \
    'guard isNew else' 'guard MUTATED || isNew else' \
    Bodies 'a member that is there twice is refused, however it is spelled'

mutation "a fraction is a whole number" Sources/StrictJSON/WholeNumber.swift \
    '} else if digits.count > size {
            return nil' '} else if digits.count > size {
            guard MUTATED else { return nil }
            self = .fits(1_000)' \
    Bodies 'a fraction is no whole number, however near to one it is'

mutation "a body needs no type" Sources/API/Application.swift \
    'if resource.method == .post {' 'if resource.method == .post && !MUTATED {' \
    MediaTypes 'a body that is not declared as JSON is 415'

mutation "every socket answers everything" Sources/API/Application.swift \
    'let resource = scope.has(found) ?' 'let resource = MUTATED || scope.has(found) ?' \
    ProbesUnderPressure "the probes' socket answers probes only, and the main one all the rest"
