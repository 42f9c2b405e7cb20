# shellcheck shell=bash
# Measures cold starts with manifests; sourced after common.sh.

# hide MANIFESTS FOLDER: the same Services, which another proxy serves: what the program reads, but does not write to the kernel.
hide() {
    mkdir "$2"
    local file
    for file in "$1"/*; do
        sed 's/"kind":"Service","metadata":{\(.*\)"labels":{/"kind":"Service","metadata":{\1"labels":{"service.kubernetes.io\/service-proxy-name":"other",/' \
            "$file" >"$2/${file##*/}"
    done
}

# sync_once SOURCE FLAG...: runs one sync with manifests or a kubeconfig, and sets `operations` to their number.
sync_once() {
    local source=--manifests=$1
    [[ ! -f $1 ]] || source=--kubeconfig=$1
    "$proxy" --once "$source" "${flags[@]}" "${@:2}" >"$work/output" 2>"$work/log" || fail "the sync failed: $(tail -n 5 "$work/output" "$work/log")"
    local output
    output=$(<"$work/output")
    [[ $output =~ ^([0-9]+)\ operations\ in\ [0-9]+\ ms,\ 0\ failed ]] || fail "unexpected output: $output"
    operations=${BASH_REMATCH[1]}
}

# total NAME FILTER MANIFESTS FLAG...: the CPU time from exec to exit with an empty kernel.
inside_total() {
    set_flags "$2"
    begin "$1"
    sync_once "${@:3}"
    end "$1"
    echo "$1.operations $operations"
}

# unchanged NAME FILTER SOURCE FLAG...: the same when there is nothing to change.
inside_unchanged() {
    set_flags "$2"
    sync_once "${@:3}"
    begin "$1"
    sync_once "${@:3}"
    end "$1"
    ((operations == 0)) || fail "$operations operations although nothing changed"
}

# hidden NAME FILTER MANIFESTS FLAG...: the same with the Services of `hide`; the device and the rules are there before. EMPTY is a folder without manifests.
inside_hidden() {
    set_flags "$2"
    sync_once "$EMPTY" "${@:4}"
    begin "$1"
    sync_once "${@:3}"
    end "$1"
    ((operations == 0)) || fail "$operations operations for Services of another proxy"
}

# MARK: The kernel's own time

# record NAME FILTER MANIFESTS FLAG...: records a sync in the file RECORD, without the tests of the kernel at startup, and the state that it leaves in the folder
# STATE.
inside_record() {
    set_flags "$2"
    RECORD_FILE=$work/first LD_PRELOAD=$TOOLS/record.so sync_once "${@:3}"
    dump "$2" "$STATE"
    RECORD_FILE=$work/again LD_PRELOAD=$TOOLS/record.so sync_once "${@:3}"
    ((operations == 0)) || fail "$operations operations although nothing changed"
    [[ -e $work/again ]] || : >"$work/again"
    perl "$bench/tools/subtract.pl" "$work/first" "$work/again" "$RECORD" >"$work/counts" || fail "the tests of the kernel at startup differ"
    sed "s/^/$1.recorded./" "$work/counts"
}

# replay NAME FILTER: sends what was recorded, and restores the rules, which the recorded messages do not have with iptables.
inside_replay() {
    "$TOOLS/replay" "$RECORD" "$1"
    if [[ $2 == iptables ]]; then
        begin "$1.rules"
        iptables-legacy-restore "$STATE/iptables"
        ip6tables-legacy-restore "$STATE/ip6tables"
        end "$1.rules"
    fi
    dump "$2" "$work/second"
    if ! diff -r "$STATE" "$work/second" >"$work/differences"; then
        head -n 10 "$work/differences" | cut -c 1-200
        fail "the replay left another state than the sync"
    fi
}
