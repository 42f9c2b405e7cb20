# shellcheck shell=bash
# Common to the parts of the endurance tests; sourced. A part calls `run_part`, which starts an API server on this machine and the program inside/NAME.py in a user-space
# kernel, on a node with pods and a client outside (../../topology.sh). The API server is outside the kernel under test; a virtual link leads to it from the node.
#
# Lines of that program which begin with `@` are for this half: `@row` is a line of the table, `@host COMMAND` a command of this file to run.
#
# The variables of a part are in its head comment. Those of all parts:
#     FILTER              iptables (with iptables-legacy), iptables-nft or nftables; default: iptables
#     SEED                the seed of all that is random; default: another one each time, which is printed
#     KUBE_IPVS_KERNEL    default: 6.12 if Integration/kernel/build has built it, else that of the package user-mode-linux
#     KUBE_IPVS_PROXY     default: the release build
#     ENDURANCE_OUTPUT    file to which the lines of the table are appended, fields separated by tabs; default: standard output
#     ENDURANCE_FAILED    folder in which a failed run keeps its log; default: .build/endurance
set -euo pipefail
export LC_ALL=C TZ=UTC0

part=${0##*/}
endurance=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$endurance/../.." && pwd)
release=$repository/.build/release
export KUBE_IPVS_PROXY=${KUBE_IPVS_PROXY:-$release/kube-ipvs-proxy} TRAFFIC=${TRAFFIC:-$release/traffic}
apiserver=${APISERVER:-$release/apiserver}
export FILTER=${FILTER:-iptables}
export SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
failed_folder=${ENDURANCE_FAILED:-$repository/.build/endurance}
given_kernel=${KUBE_IPVS_KERNEL:-}

fail() {
    echo "$part: $1" >&2
    exit 1
}

# MARK: The API server

start_api() {
    : >"$shared/api.log"
    "$apiserver" serve --address 127.0.0.1 --port "$api_port" --certificates "$shared" --names kubernetes --bookmark-interval 30 "$@" >"$shared/api.log" 2>&1 &
    server=$!
    until grep --quiet serving "$shared/api.log"; do
        kill -0 "$server" 2>/dev/null || fail "the API server ended: $(<"$shared/api.log")"
        sleep 0.1
    done
    # A server that starts again has the same address.
    api_port=$(sed -n 's/^serving .*:\([0-9]*\)$/\1/p' "$shared/api.log")
}

stop_api() {
    kill -KILL "$server"
    wait "$server" 2>/dev/null || true
    server=
}

# MARK: Commands from the kernel

# The server ends without a trace of its objects, apart from those in the file of the List.
host_stop_api() { stop_api; }

# host_start_api: with the objects of $shared/list.json.
host_start_api() { start_api --load "$shared/list.json"; }

# host_churn NAMESPACE RATE SECONDS RANGE: changes endpoints in the background; then $shared/churned exists, with the number of changes.
host_churn() {
    (
        "$apiserver" churn --kubeconfig "$shared/kubeconfig" --namespace "$1" --rate "$2" --seconds "$3" --endpoint-range "$4" --node node2 --seed "$SEED" \
            >"$shared/churned.part" 2>&1 || echo "failed" >>"$shared/churned.part"
        mv "$shared/churned.part" "$shared/churned"
    ) &
    churning=$!
}

# host_expected NAMESPACE: the expected virtual and real servers in $shared/expected.
host_expected() { "$apiserver" expected --kubeconfig "$shared/kubeconfig" --namespace "$1" >"$shared/expected"; }

# run_host NUMBER COMMAND ARGUMENT...: runs a command; then $shared/done.NUMBER exists.
run_host() {
    "host_$2" "${@:3}"
    : >"$shared/done.$1"
}

# MARK: Running

choose_kernel() {
    if [[ -z $given_kernel ]]; then
        local built
        built=$("$repository/Integration/kernel/build" --path 6.12 2>/dev/null || true)
        if [[ -n $built && -x $built ]]; then
            KUBE_IPVS_KERNEL=6.12
        else
            # By its path, also on a machine whose own kernel has IPVS: only a user-space kernel has a link to the API server.
            KUBE_IPVS_KERNEL=$(command -v linux.uml) || fail "User-Mode Linux is not installed"
        fi
    fi
    export KUBE_IPVS_KERNEL
}

clean_up() {
    local started
    for started in ${churning:-} ${server:-} ${kernel:-}; do
        kill "$started" 2>/dev/null || true
        wait "$started" 2>/dev/null || true
    done
    rm -rf "$shared"
}

# row FIELD...: what was done, how often, the result, the measured value, ok or FAILED.
row() {
    local IFS=$'\t' line
    line="$part${FILTER:+ ($FILTER)}"$'\t'"$*"
    if [[ -n ${ENDURANCE_OUTPUT:-} ]]; then printf '%s\n' "$line" >>"$ENDURANCE_OUTPUT"; else printf '%s\n' "$line"; fi
    [[ ${*: -1} == ok ]] || is_lost=yes
}

# The command that repeats this run.
again() {
    local name
    printf 'SEED=%s FILTER=%s KUBE_IPVS_KERNEL=%q' "$SEED" "$FILTER" "$KUBE_IPVS_KERNEL"
    for name in "${variables[@]}"; do [[ -z ${!name:-} ]] || printf ' %s=%q' "$name" "${!name}"; done
    printf ' Integration/endurance/parts/%s\n' "$part"
}

# run_part [VARIABLE...]: the variables that the part reads.
run_part() {
    local line number words kept status=0
    variables=("$@") is_lost='' server='' churning='' kernel='' api_port=0
    choose_kernel
    mkdir -p "$repository/.build"
    # In the repository, which the user-space kernel shares with this machine, unlike /tmp.
    shared=$(mktemp --directory "$repository/.build/endurance.XXXXXX")
    export ENDURANCE_SHARED=$shared
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    export KUBECONFIG_TEST=$shared/kubeconfig
    start_api --make-certificates
    "$repository/Integration/kernel/packages" # The relay of kernel/run.
    echo "$part: $(again)" >&2
    exec {lines}< <(exec "$repository/Integration/kernel/run" --kernel "$KUBE_IPVS_KERNEL" --memory "${MEMORY:-2G}" --timeout "${TIMEOUT:-7200}" -- \
        "$endurance/inside/enter" "$part" 2>&1)
    kernel=$!
    while IFS= read -r -u "$lines" line; do
        case $line in
            '@row'$'\t'*)
                IFS=$'\t' read -r -a words <<<"${line#@row$'\t'}"
                row "${words[@]}"
                ;;
            '@host '*)
                read -r -a words <<<"${line#@host }"
                run_host "${words[@]}"
                ;;
            *) printf '%s\n' "$line" | tee -a "$shared/output" >&2 ;;
        esac
    done
    wait "$kernel" || status=$?
    kernel=
    exec {lines}<&-
    ((status == 0)) || row "the run itself" 1 "ended with status $status" "" "FAILED: see its output"
    [[ -n $is_lost ]] || return 0
    kept=$failed_folder/$part-$FILTER-$SEED
    mkdir -p "$kept"
    again >"$kept/command"
    for number in output proxy.log state api.log; do [[ ! -e $shared/$number ]] || cp "$shared/$number" "$kept/"; done
    echo "$part: something was lost; the log is in $kept. Repeat it with: $(again)" >&2
    exit 1
}
