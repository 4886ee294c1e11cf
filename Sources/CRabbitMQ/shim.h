// librabbitmq. Swift cannot call its variadic functions.
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/tcp.h>

// Logs in by PLAIN, for one channel. Without the capability the broker says nothing when it ends a
// consumer, such as because its queue was deleted.
static inline amqp_rpc_reply_t amqp_login_plain(
    amqp_connection_state_t state, const char *vhost, int heartbeat_seconds, const char *user,
    const char *password) {
    amqp_table_entry_t capability = {
        .key = amqp_cstring_bytes("consumer_cancel_notify"),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value = {.boolean = 1}},
    };
    amqp_table_entry_t capabilities = {
        .key = amqp_cstring_bytes("capabilities"),
        .value = {.kind = AMQP_FIELD_KIND_TABLE,
                  .value = {.table = {.num_entries = 1, .entries = &capability}}},
    };
    amqp_table_t properties = {.num_entries = 1, .entries = &capabilities};
    return amqp_login_with_properties(
        state, vhost, 1, AMQP_DEFAULT_FRAME_SIZE, heartbeat_seconds, &properties,
        AMQP_SASL_METHOD_PLAIN, user, password);
}
