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

# sync_once MANIFESTS FLAG...: runs one sync, and prints the number of its operations as `operations` of its log.
sync_once() {
    "$proxy" --once --manifests="$1" "${flags[@]}" "${@:2}" >"$work/output" 2>"$work/log" || fail "the sync failed: $(tail -n 5 "$work/output" "$work/log")"
    local output
    output=$(<"$work/output")
    [[ $output =~ ^([0-9]+)\ operations\ in\ ([0-9]+)\ ms,\ 0\ failed ]] || fail "unexpected output: $output"
    operations=${BASH_REMATCH[1]}
    milliseconds=${BASH_REMATCH[2]}
}

# total NAME FILTER MANIFESTS FLAG...: the CPU time from exec to exit with an empty kernel.
inside_total() {
    set_flags "$2"
    begin "$1"
    sync_once "${@:3}"
    end "$1"
    echo "$1.operations $operations"
    echo "$1.sync $((milliseconds * 1000))"
}

# unchanged NAME FILTER MANIFESTS FLAG...: the same when there is nothing to change.
inside_unchanged() {
    set_flags "$2"
    sync_once "${@:3}"
    begin "$1"
    sync_once "${@:3}"
    end "$1"
    ((operations == 0)) || fail "$operations operations although nothing changed"
}
