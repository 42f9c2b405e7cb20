# shellcheck shell=bash
# An API server on this machine for the proxy in the kernel; sourced after common.sh. The server's work is not measured.

# start_api SERVICES ENDPOINTS [NODE]: the endpoints are on NODE, by default not the proxy's.
start_api() {
    api=$(mktemp --directory "$work/api.XXXXXX")
    "$apiserver" fill --print "${population[@]}" --services "$1" --endpoints "$2" --node "${3:-node2}" >"$api/list.json"
    : >"$api/log" # It is read at once.
    "$apiserver" serve --address 127.0.0.1 --port 16443 --certificates "$api" --make-certificates --names kubernetes --bookmark-interval 30 \
        --load "$api/list.json" >"$api/log" &
    server=$!
    until grep --quiet serving "$api/log"; do
        kill -0 "$server" 2>/dev/null || fail "the API server ended"
        sleep 0.1
    done
    rm "$api/list.json"
    curl --silent --show-error --fail --output /dev/null --cacert "$api/ca.crt" --header 'Content-Type: application/json' --data-binary '
        {"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},"status":{"addresses":[{"type":"InternalIP","address":"10.99.0.2"}]}}' \
        https://127.0.0.1:16443/api/v1/nodes
    export KUBECONFIG_TEST=$api/kubeconfig
    "$bench/../kernel/packages" # The relay of kernel/run.
}

stop_api() {
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    unset KUBECONFIG_TEST
}

population=(--namespace bench --endpoint-range 10.128.0.0/9)

# churn RATE SECONDS: changes endpoints from outside the kernel; prints the number of changes to the file `changes`. For `@run` of metered.
churn() {
    "$apiserver" churn --kubeconfig "$KUBECONFIG_TEST" "${population[@]}" --node node2 --rate "$1" --seconds "$2" >"$api/changes"
}

# The kubeconfig for the proxy in the kernel, which reaches the server through the relay of kernel/run. A network namespace other than the first has no link to it.
inside_kubeconfig() {
    [[ $API_RELAY == TCP:* ]] || fail "only a user-space kernel has a link to the API server"
    sed -E 's#"server":"https://[^"]+"#"server":"https://'"${API_RELAY#TCP:}"'","tls-server-name":"kubernetes"#' "$KUBECONFIG_TEST" >"$work/kubeconfig"
    ip link add node type dummy
    ip address add 10.99.0.2/24 dev node
    ip link set node up
}
