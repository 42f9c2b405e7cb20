# shellcheck shell=bash
# Common to the parts of the benchmarks; sourced. A part is a script with two halves: the one on this machine starts the other with `in_kernel`, which runs
# functions named `inside_…` in the kernel of `metered`. These print lines with a name and an integer, which become `measured[NAME]`.
#
# KUBE_IPVS_KERNEL is the kernel (default 6.12), KUBE_IPVS_PROXY the program, BENCH_OUTPUT a folder to keep all raw output in, BENCH_TARGETS a file for the
# results of `target`. ROUNDS is how often the CPU time of short runs is measured, for the median.
set -euo pipefail
export LC_ALL=C TZ=UTC0

part=$(cd "$(dirname "$0")" && pwd)/${0##*/}
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
release=$(cd "$bench/../.." && pwd)/.build/release
proxy=${KUBE_IPVS_PROXY:-$release/kube-ipvs-proxy}
export TRAFFIC=${TRAFFIC:-$release/traffic}
apiserver=${APISERVER:-$release/apiserver}
state=${BENCH_STATE:-$release/bench-state}
rounds=${ROUNDS:-3}
export KUBE_IPVS_KERNEL=${KUBE_IPVS_KERNEL:-6.12}

# shellcheck source=../functions.sh
source "$bench/functions.sh"

# MARK: On this machine

declare -A measured

# in_kernel FUNCTION ARGUMENT...: runs inside_FUNCTION in the kernel.
in_kernel() {
    local line name value rest status
    exec {lines}< <("$bench/metered" --memory "${MEMORY:-6G}" --timeout "${TIMEOUT:-1500}" -- env "TOOLS=${tools:-}" "ROUNDS=$rounds" "$part" inside "$@")
    measuring=$!
    while IFS= read -r -u "$lines" line; do
        [[ -z ${BENCH_OUTPUT:-} ]] || printf '%s\n' "$line" >>"$BENCH_OUTPUT/${part##*/}.txt"
        read -r name value rest <<<"$line"
        [[ $line != "# "* ]] || continue # Only in the raw output.
        if [[ -z $rest && $value =~ ^-?[0-9]+$ ]]; then measured[$name]=$value; else printf '%s\n' "$line" >&2; fi
    done
    status=0
    wait "$measuring" || status=$?
    measuring=
    exec {lines}<&-
    ((status == 0)) || fail "failed to measure: $*"
}

# Compiles the tools that the kernel's half uses; clang is part of the Swift toolchain.
compile_tools() {
    tools=$work/tools
    mkdir "$tools"
    local name
    for name in "$@"; do
        case $name in
            record) clang -O2 -Wall -Wextra -shared -fPIC -o "$tools/record.so" "$bench/tools/record.c" ;;
            *) clang -O2 -Wall -Wextra -o "$tools/$name" "$bench/tools/$name.c" ;;
        esac
    done
}

print_row() { printf '  %-66s%16s%16s%12s\n' "$1" "${2:-}" "${3:-}" "${4:-}"; }

print_title() {
    echo
    print_row "$@"
}

# target NAME VALUE LIMIT [UNIT]: prints a target with the measured value, which may have decimals, and whether it is at most the limit.
target() {
    local verdict
    check "$2" "$3"
    verdict=$(awk -v value="$2" -v limit="$3" 'BEGIN { print value + 0 <= limit + 0 ? "met" : "missed" }')
    print_row "target: $1" "$2${4:+ $4}" "<= $3${4:+ $4}" "$verdict"
    [[ -z ${BENCH_TARGETS:-} ]] || printf '%s\t%s\t%s\t%s\n' "$verdict" "$1" "$2${4:+ $4}" "$3${4:+ $4}" >>"$BENCH_TARGETS"
}

# of NAME: a measured value.
of() {
    [[ -n ${measured[$1]:-} ]] || fail "\"$1\" was not measured"
    echo "${measured[$1]}"
}

# The CPU time, user and system, of a measurement with this name.
processor() {
    local user system
    user=$(of "$1.user")
    system=$(of "$1.system")
    echo $((user + system))
}

# median NAME [SUFFIX]: of the CPU times of NAME.1, NAME.2 …, each with the suffix.
median() {
    local round values=()
    for ((round = 1; round <= rounds; round++)); do values+=("$(processor "$1.$round${2:-}")"); done
    middle "${values[@]}"
}

# middle NUMBER...: the median.
middle() {
    check "$@"
    printf '%s\n' "$@" | sort --numeric-sort | sed -n "$((($# + 1) / 2))p"
}

# MARK: In the kernel

# fresh FUNCTION ARGUMENT...: runs inside_FUNCTION in a fresh network namespace.
fresh() { unshare --net -- "$part" inside "$@"; }

begin() { mark "$1" begin; }
end() { mark "$1" end; }

# Sets `flags` for a packet filter.
set_flags() {
    flags=(--hostname-override=node1 --cluster-cidr=10.128.0.0/9 --ipvs-min-sync-period=0s --state-directory="$work/state")
    if [[ $1 == nftables ]]; then flags+=(--packet-filter=nftables); else flags+=(--packet-filter=iptables --iptables-backend=legacy); fi
}

# start_proxy SOURCE FLAG...: starts the proxy with manifests or a kubeconfig, and waits for its first sync.
start_proxy() {
    local source=--manifests=$1 count
    [[ ! -f $1 ]] || source=--kubeconfig=$1
    : >"$work/log"
    "$proxy" run "$source" "${flags[@]}" "${@:2}" >"$work/log" 2>&1 &
    process=$!
    for ((count = 0; count < 300; count++)); do
        if grep --quiet '"Kernel state in sync"' "$work/log"; then return 0; fi
        kill -0 "$process" 2>/dev/null || break
        pause 1
    done
    fail "the proxy is not in sync: $(tail -n 5 "$work/log")"
}

stop_proxy() {
    kill "$process"
    wait "$process" || true
    process=
}

# Prints the numbers of kilobytes of the proxy as NAME.resident and NAME.anonymous.
print_memory() {
    local field value
    while read -r field value _; do
        case $field in
            VmRSS:) echo "$1.resident $value" ;;
            RssAnon:) echo "$1.anonymous $value" ;;
        esac
    done <"/proc/$process/status"
}

# dump FILTER FOLDER: the state of the kernel that a sync writes.
dump() {
    mkdir -p "$2"
    ipvsadm --save --numeric | sort >"$2/ipvs"
    ip -oneline address show dev kube-ipvs0 | awk '{ print $3, $4 }' | sort >"$2/addresses"
    ip route show table all dev kube-ipvs0 | sort >"$2/routes"
    if [[ $1 == nftables ]]; then
        nft list ruleset >"$2/nftables"
    else
        ipset save | sed 's/ initval [^ ]*//' | sort >"$2/ipset"
        # The order of the tables is that in which they were used first.
        local family table
        for family in iptables ip6tables; do
            for table in nat filter; do "$family-legacy-save" --table "$table" | grep -v '^#' >>"$2/$family"; done
        done
    fi
}

# No started process may outlive this script.
clean_up() {
    local started
    for started in ${process:-} ${server:-} ${measuring:-}; do
        kill "$started" 2>/dev/null || true
        wait "$started" 2>/dev/null || true
    done
    rm -rf "$work"
}

# run_part ARGUMENT...: runs the half of this machine, `outside`, or a function of the other one.
run_part() {
    # In a user-space kernel, /tmp shows the files of this machine; /run is in memory.
    local folder=${TMPDIR:-/tmp}
    [[ ${1:-} != inside ]] || folder=/run
    work=$(mktemp --directory "$folder/bench.XXXXXX")
    tools=${TOOLS:-}
    trap clean_up EXIT
    if [[ ${1:-} != inside ]]; then
        outside "$@"
        [[ ! -e $work/failed ]] || exit 1
        return
    fi
    ip link set lo up
    "inside_$2" "${@:3}"
}
