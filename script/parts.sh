# The parts of a shop and how each is started in a folder. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

# shellcheck source=script/listener.sh
. "$repository/script/listener.sh"

# Each limit is many times what a slow machine was seen to need.
readonly mariadb_start_seconds=120 # It may have to recover from a crash first.
readonly memcached_start_seconds=10
readonly nginx_start_seconds=10
readonly commerce_start_seconds=30
readonly epmd_start_seconds=10
readonly rabbitmq_start_seconds=120
readonly exporter_start_seconds=10
readonly prometheus_start_seconds=60 # It reads what it has kept first.

readonly database=commerce
readonly database_user=commerce

mariadb_socket() { say "$1/mariadb.sock"; }

# set_owner_options FOLDER: sets `owner_options`, with which a client is the owner of our own MariaDB.
set_owner_options() {
    owner_options=(--no-defaults --protocol=socket --socket="$(mariadb_socket "$1")" --user="$owner")
}

# The client as the database's owner: sql_client FOLDER ARGUMENT...
sql_client() {
    local owner_options=()
    set_owner_options "$1"
    shift
    mariadb "${owner_options[@]}" --default-character-set=utf8mb4 "$@"
}

# Makes a data folder at the first start. It appears under its name when it is whole: a run that
# was killed half-way leaves only what the next one throws away.
install_mariadb() {
    local folder=$1 half=$1/mariadb.half as_root=()
    [[ ! -d $folder/mariadb ]] || return 0
    ((EUID)) || as_root=(--user=root)
    rm -rf "$half"
    umask 077
    foreground mariadb-install-db --no-defaults --datadir="$half" --tmpdir="$folder/mariadb-tmp" \
        --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$owner" \
        "${as_root[@]}" >"$folder/mariadb-install.log" 2>&1 ||
        die_with_log "$folder/mariadb-install.log" "MariaDB's data folder could not be made"
    umask 022
    mv "$half" "$folder/mariadb"
}

# start_mariadb FOLDER [OPTION...]: a MariaDB of our own, which only local sockets reach.
start_mariadb() {
    local folder=$1 as_root=()
    shift
    ((EUID)) || as_root=(--user=root)
    check_socket_path "$(mariadb_socket "$folder")"
    # A MariaDB that starts removes whatever temporary tables it finds: those of others, in /tmp.
    (umask 077 && mkdir -p "$folder/mariadb-tmp")
    install_mariadb "$folder"
    # A commit that was answered is on the disk. The log is large enough for a sale's writes, and
    # there is no binary log because nobody replicates from here.
    start_part MariaDB "$(mariadb_socket "$folder")" "$folder/mariadb.log" mariadbd --no-defaults "${as_root[@]}" \
        --skip-networking --socket="$(mariadb_socket "$folder")" \
        --datadir="$folder/mariadb" --tmpdir="$folder/mariadb-tmp" \
        --pid-file="$folder/mariadb.pid" \
        --innodb-flush-log-at-trx-commit=1 --skip-log-bin \
        --character-set-server=utf8mb4 --max-connections=300 --performance-schema=off \
        --innodb-buffer-pool-size="${COMMERCE_BUFFER_POOL:-512M}" \
        --innodb-log-file-size=256M "$@"
    wait_for MariaDB "$mariadb_start_seconds" sql_client "$folder" -e 'SELECT 1'
}

# Brings the database to the newest schema. A new one gets the demo data, and counts as new until
# it has them: demo.sql is one transaction. The service's user and its password are set each time.
prepare_database() {
    local folder=$1 password_file=$1/database-password owner_options=()
    set_owner_options "$folder"
    if [[ ! -s $password_file ]]; then
        (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$password_file.half")
        mv "$password_file.half" "$password_file"
    fi
    "$repository/sql/migrate.sh" "${owner_options[@]}" "$database" || die "the migration failed"
    COMMERCE_DATABASE_USER=$database_user COMMERCE_DATABASE_PASSWORD=$(<"$password_file") \
        "$repository/sql/service-user.sh" "${owner_options[@]}" "$database" ||
        die "the service's database user could not be set up"
    if [[ $(sql_client "$folder" -Ne 'SELECT EXISTS (SELECT 1 FROM users)' "$database") == 0 ]]; then
        sql_client "$folder" "$database" <"$repository/sql/demo.sql" ||
            die "the demo data could not be loaded"
        say "$database: demo data loaded"
    fi
}

# The caller's settings that say where something is, or are these scripts': they reach no program. Here
# it is this run that says where its database, cache and sockets are.
run_settings="COMMERCE_@(DATABASE_!(POOL)|*SOCKET|MEMCACHED|RUN_DIR|HTTP_PORT|AMQP_PORT|LISTEN|SERVER_NAME|TLS_*|\
BINARY|BUFFER_POOL|TEST_*)"
readonly run_settings
# Those that tell buyers: they hold secrets which the responder does not need.
readonly notification_settings='COMMERCE_@(AMQP|ALIMTALK|NOTIFICATION)_*'

# with_settings FOLDER [SETTING=VALUE...] COMMAND...: runs a function or a command that is to be a program
# of commerce, such as the worker, with the caller's settings, those of its database, and those given.
with_settings() {
    local folder=$1 name
    shift
    for name in "${!COMMERCE_@}"; do
        # shellcheck disable=SC2053 # Patterns.
        [[ $name == $run_settings || $name == ${withheld-} ]] || local -x "$name=${!name}"
    done
    while [[ $1 =~ ^[A-Z_]+= ]]; do
        local -x "$1"
        shift
    done
    local -x COMMERCE_DATABASE_SOCKET COMMERCE_DATABASE_PASSWORD
    COMMERCE_DATABASE_SOCKET=$(mariadb_socket "$folder")
    COMMERCE_DATABASE_PASSWORD=$(<"$folder/database-password")
    local -x COMMERCE_DATABASE_NAME=$database COMMERCE_DATABASE_USER=$database_user
    local -x COMMERCE_MEMCACHED=$folder/memcached.sock
    "$@"
}

# The same for a responder, which tells nobody.
with_responder_settings() {
    local withheld=$notification_settings
    with_settings "$@"
}

# start_memcached FOLDER
start_memcached() {
    local socket=$1/memcached.sock as_root=()
    ((EUID)) || as_root=(-u root)
    check_socket_path "$socket"
    # One thread: a get takes it a few microseconds, and more threads only take turns.
    start_part memcached "$socket" "$1/memcached.log" memcached "${as_root[@]}" -s "$socket" -a 0600 \
        -m 64 -t 1 -c 1024
    wait_for memcached "$memcached_start_seconds" is_ready memcached
}

# Without colors, or a build for a terminal would not be that of a file, and all is compiled again.
swift_build() {
    with_build_environment foreground swift build --no-color-diagnostics "$@" ||
        die "the build failed; what it said is above"
}

# Sets `binary` to the release build of commerce, or to what COMMERCE_BINARY names.
build_commerce() {
    if [[ -n ${COMMERCE_BINARY-} ]]; then
        binary=$(readlink -f "$COMMERCE_BINARY") || die "there is no program at $COMMERCE_BINARY"
    else
        cd "$repository" || die "cannot enter $repository"
        swift_build -c release --static-swift-stdlib --product commerce
        binary=$repository/.build/release/commerce
    fi
    [[ -f $binary && -x $binary ]] || die "there is no program at $binary"
}

# start_commerce FOLDER: the responder. Two heaps do for its many threads: with one each, as the C
# library would have it, memory doubles or trebles.
start_commerce() {
    local folder=$1
    check_socket_path "$folder/commerce.sock.probes.1234567" # As it is called while it is made.
    with_responder_settings "$folder" COMMERCE_SOCKET="$folder/commerce.sock" MALLOC_ARENA_MAX=2 \
        start_part commerce "$folder/commerce.sock" "$folder/commerce.log" "$binary" serve
    wait_for commerce "$commerce_start_seconds" is_ready commerce
}

# start_worker FOLDER: who delivers events and tidies up. Orders come first, so it is nice. Its
# receivers may be on this machine.
start_worker() {
    local folder=$1
    with_settings "$folder" COMMERCE_WORK_SOCKET="$folder/work.sock" \
        COMMERCE_NOTIFICATION_FILE="${COMMERCE_NOTIFICATION_FILE:-$folder/notifications.jsonl}" \
        COMMERCE_WEBHOOKS_ALLOW_PRIVATE="${COMMERCE_WEBHOOKS_ALLOW_PRIVATE:-1}" \
        start_part worker "$folder/work.sock" "$folder/worker.log" nice -n 5 "$binary" work
    wait_for worker "$commerce_start_seconds" is_ready worker
}

# start_notifier FOLDER: who tells buyers of the events that come through the RabbitMQ that
# COMMERCE_AMQP_URL names. Without one the worker does it.
start_notifier() {
    local folder=$1
    [[ -n ${COMMERCE_AMQP_URL-} ]] || return 0
    with_settings "$folder" COMMERCE_NOTIFY_SOCKET="$folder/notify.sock" \
        COMMERCE_NOTIFICATION_FILE="${COMMERCE_NOTIFICATION_FILE:-$folder/notifications.jsonl}" \
        start_part notifier "$folder/notify.sock" "$folder/notifier.log" nice -n 5 "$binary" notify
    wait_for notifier "$commerce_start_seconds" is_ready notifier
}

# Replaces a text in a copied configuration, and makes sure that it was there.
configure() {
    local file=$1 old=$2 new=$3 text
    text=$(<"$file")
    [[ $text == *"$old"* ]] || die "nginx/${file##*/} has no '$old' to replace"
    say "${text//"$old"/"$new"}" >"$file"
}

# Copies nginx's configuration to FOLDER/nginx with the folder's socket, the port, and what
# read_listener has read.
configure_nginx() {
    local folder=$1 port=$2
    mkdir -p "$folder/nginx"
    [[ ! -e $folder/nginx/access.log ]] ||
        mv -f "$folder/nginx/access.log" "$folder/nginx/access.log.previous"
    cp "$repository/nginx/nginx.conf" "$repository/nginx/commerce.conf" "$repository/README.md" \
        "$folder/nginx/"
    configure_listener "$folder/nginx/commerce.conf" "$port"
    configure "$folder/nginx/commerce.conf" 'unix:/run/commerce/' "unix:$folder/"
}

# start_nginx FOLDER PORT, after configure_nginx. Ready means that the whole shop answers.
start_nginx() {
    local folder=$1 port=$2 globals='daemon off;'
    # As root its workers would become nobody, who may not open the responder's socket.
    ((EUID)) || globals+=' user root;'
    start_part nginx "$port" "$folder/nginx/error.log" nginx -p "$folder/nginx" \
        -c "$folder/nginx/nginx.conf" -g "$globals"
    wait_for nginx "$nginx_start_seconds" nginx_answers "$port"
    wait_for commerce "$commerce_start_seconds" ask "http://127.0.0.1:$port/readyz"
}

# Any answer will do, a refusal too.
nginx_answers() { fetch --output /dev/null "http://127.0.0.1:$1/livez"; }

# Asks a server of this machine, whatever the user's .curlrc says.
fetch() { curl --disable --silent --max-time 5 --noproxy '*' "$@"; }

ask() { fetch --fail "$@"; }

# start_monitoring FOLDER PORT: Prometheus and its exporters beside a shop whose nginx listens at PORT.
# They listen on ports after the shop's, for this machine only.
start_monitoring() {
    local folder=$1/monitoring port=$2
    (umask 077 && mkdir -p "$folder")
    start_mariadb_exporter "$1" "$folder" $((port + 2))
    start_part nginx-exporter $((port + 3)) "$folder/nginx-exporter.log" prometheus-nginx-exporter \
        -nginx.scrape-uri "http://127.0.0.1:$port/nginx_status" \
        -web.listen-address "127.0.0.1:$((port + 3))"
    wait_for nginx-exporter "$exporter_start_seconds" is_ready nginx-exporter
    start_prometheus "$folder" "$port"
}

# start_mariadb_exporter FOLDER OWN_FOLDER PORT: as a database user that sees the server's counters and
# no row. Its password is new at each start, and in a file because everybody may read a command line.
start_mariadb_exporter() {
    local folder=$2 port=$3 user=commerce_exporter password collector off=() owner_options=()
    set_owner_options "$1"
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    COMMERCE_EXPORTER_USER=$user COMMERCE_EXPORTER_PASSWORD=$password \
        "$repository/sql/exporter-user.sh" "${owner_options[@]}" || die "the exporter's database user could not be set up"
    (umask 077 && printf '[client]\nsocket=%s\nuser=%s\npassword=%s\n' \
        "$(mariadb_socket "$1")" "$user" "$password" >"$folder/exporter.cnf")
    # What needs rights, or tells nothing without a replica. The rest are the counters and variables.
    for collector in slave_status info_schema.innodb_cmp info_schema.innodb_cmpmem \
        info_schema.query_response_time; do
        off+=("--no-collect.$collector")
    done
    start_part MariaDB-exporter "$port" "$folder/mariadb-exporter.log" prometheus-mysqld-exporter \
        --config.my-cnf="$folder/exporter.cnf" --web.listen-address="127.0.0.1:$port" "${off[@]}"
    wait_for MariaDB-exporter "$exporter_start_seconds" is_ready MariaDB-exporter
}

# start_prometheus FOLDER PORT: on copies of monitoring's files with the ports of this shop.
start_prometheus() {
    local folder=$1 port=$2 own=127.0.0.1:$(($2 + 1)) file=$1/prometheus.yml port_pair edits=()
    cp "$repository/monitoring/prometheus.yml" "$repository/monitoring/alerts.yml" "$folder/"
    [[ -z ${COMMERCE_AMQP_URL-} ]] ||
        sed -i '/^  # - job_name: notify$/,/^$/s/^  # /  /' "$file" # There is a notifier, then.
    for port_pair in "8080 $port" "9090 $((port + 1))" "9104 $((port + 2))" "9113 $((port + 3))"; do
        grep -qF "\"127.0.0.1:${port_pair% *}\"" "$file" ||
            die "monitoring/prometheus.yml has no port ${port_pair% *}"
        # One a line, so that none is replaced twice.
        edits+=(-e "s|\"127.0.0.1:${port_pair% *}\"|\"127.0.0.1:${port_pair#* }\"|;t")
    done
    sed -i "${edits[@]}" "$file"
    start_part Prometheus $((port + 1)) "$folder/prometheus.log" prometheus \
        --config.file="$file" --storage.tsdb.path="$folder/data" \
        --storage.tsdb.retention.time=15d --web.listen-address="$own"
    wait_for Prometheus "$prometheus_start_seconds" ask "http://$own/-/ready"
}

# start_rabbitmq FOLDER PORT: a RabbitMQ of our own, which only this machine reaches. Erlang's name
# server belongs to it, and would otherwise be started as a daemon for the whole machine.
start_rabbitmq() {
    local folder=$1 port=$2 epmd_port distribution_port
    epmd_port=$(free_port)
    distribution_port=$(free_port)
    local -x HOME=$folder # Of Erlang's cookie.
    local -x ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1
    start_part epmd "$epmd_port" "$folder/epmd.log" epmd -port "$epmd_port" -address 127.0.0.1
    wait_for epmd "$epmd_start_seconds" is_ready epmd
    # The watermark would otherwise be a share of the machine's memory, and the disk's limit more
    # than a small machine has.
    cat >"$folder/rabbitmq.conf" <<CONFIGURATION
listeners.tcp.1 = 127.0.0.1:$port
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 100MB
CONFIGURATION
    say '[].' >"$folder/plugins"
    # The script in /usr/sbin becomes another user. As under systemd, this one becomes the broker,
    # so that the part's process is the broker itself.
    RUNNING_UNDER_SYSTEMD=true RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_NODENAME=commerce@localhost RABBITMQ_DIST_PORT=$distribution_port \
        RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf \
        RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins \
        RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder \
        RABBITMQ_PID_FILE=$folder/rabbitmq.pid \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        start_part RabbitMQ "$port" "$folder/rabbitmq.log" /usr/lib/rabbitmq/bin/rabbitmq-server
    wait_for RabbitMQ "$rabbitmq_start_seconds" is_ready RabbitMQ
}

# A port below those that the kernel gives to clients.
free_port() {
    local port
    while true; do
        port=$((10000 + RANDOM % 20000))
        port_is_taken "$port" || break
    done
    say "$port"
}
