# Where a shop's nginx listens, and by which names it is called. Sourced by parts.sh.
# shellcheck shell=bash disable=SC2154

listen_addresses=(127.0.0.1) # As nginx writes them; those of loopback are always there.
! grep -qs '^00000000000000000000000000000001 ' /proc/net/if_inet6 || listen_addresses+=('[::1]')
server_names=(127.0.0.1 localhost '[::1]')
certificate_lines="" # For nginx's server.

# Reads COMMERCE_LISTEN, COMMERCE_SERVER_NAME, COMMERCE_TLS_CERTIFICATE and COMMERCE_TLS_KEY, which are
# not the program's. Ends if they do not go together.
read_listener() {
    local words=() word beyond=() plain=${COMMERCE_ALLOW_PLAINTEXT-}
    IFS=', ' read -ra words <<<"${COMMERCE_LISTEN-}"
    for word in "${words[@]}"; do
        add_listen_address "$word"
    done
    IFS=', ' read -ra words <<<"${COMMERCE_SERVER_NAME-}"
    for word in "${words[@]}"; do
        [[ $word =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ || $word =~ ^\[[0-9a-fA-F:.]+\]$ ]] ||
            die "COMMERCE_SERVER_NAME has names and addresses without ports, and '$word' is neither"
        add_server_name "$word"
    done
    read_certificate
    [[ ${#beyond[@]} == 0 || -n $certificate_lines ||
        ,${plain//[[:space:]]/}, == *,http,* ]] ||
        die "COMMERCE_LISTEN lets other machines in at ${beyond[*]} without TLS;" \
            "COMMERCE_TLS_CERTIFICATE and COMMERCE_TLS_KEY add it, or COMMERCE_ALLOW_PLAINTEXT=http" \
            "says that it is meant"
}

# add_listen_address ADDRESS: to `listen_addresses`; and to `beyond`, if others than this machine reach it.
add_listen_address() {
    local address=$1 octet='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
    address=${address#[}
    address=${address%]}
    if [[ $address =~ ^$octet(\.$octet){3}$ ]]; then
        [[ $address == 127.* ]] || beyond+=("$address")
    elif [[ $address == *:*:* && $address =~ ^[0-9a-fA-F:.]+$ ]]; then
        [[ $address == ::1 ]] || beyond+=("$address")
        address=[$address]
    else
        die "COMMERCE_LISTEN has addresses of this machine, and '$1' is none"
    fi
    [[ " ${listen_addresses[*]} " == *" $address "* ]] || listen_addresses+=("$address")
    case $address in 0.0.0.0 | '[::]') ;; *) add_server_name "$address" ;; esac
}

add_server_name() {
    local name=${1,,}
    [[ " ${server_names[*]} " == *" $name "* ]] || server_names+=("$name")
}

# Sets `certificate_lines`, if there is a certificate.
read_certificate() {
    local certificate=${COMMERCE_TLS_CERTIFICATE-} key=${COMMERCE_TLS_KEY-} file
    [[ -n $certificate$key ]] || return 0
    [[ -n $certificate && -n $key ]] ||
        die "COMMERCE_TLS_CERTIFICATE and COMMERCE_TLS_KEY go together, and one is missing"
    for file in "$certificate" "$key"; do
        [[ -r $file && ! $file =~ $path_syntax ]] ||
            die "the file of a certificate cannot be read, or its path has blanks or signs: $file"
    done
    certificate_lines="ssl_certificate $(realpath "$certificate");"
    certificate_lines+=" ssl_certificate_key $(realpath "$key"); ssl_protocols TLSv1.2 TLSv1.3;"
}

# configure_listener FILE PORT: writes into a copy of commerce.conf where it listens, and its names.
configure_listener() {
    local file=$1 port=$2 address name names="" line four="" six="" options
    local all=" ${listen_addresses[*]} "
    for address in "${listen_addresses[@]}"; do
        options=" backlog=4096"
        # An address that a wildcard covers shares its socket, and so its options.
        if [[ $address == 127.* && $all == *' 0.0.0.0 '* ||
            $address == '[::1]' && $all == *' [::] '* ]]; then
            options=""
        elif [[ $address != 127.* && $address != '[::1]' && -n $certificate_lines ]]; then
            options+=" ssl"
        fi
        line="listen $address:$port default_server$options;"
        if [[ $address == *:* ]]; then six+=" $line"; else four+=" $line"; fi
    done
    for name in "${server_names[@]:3}"; do # The first three are there.
        names+=" $name 1;"
    done
    configure "$file" 'listen 127.0.0.1:8080 default_server backlog=4096;' "${four# }"
    configure "$file" 'listen [::1]:8080 default_server backlog=4096;' "${six# }"
    configure "$file" 'localhost  1;' "localhost  1;$names"
    configure "$file" 'server_name 127.0.0.1;' "server_name 127.0.0.1; $certificate_lines"
}
