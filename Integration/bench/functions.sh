# shellcheck shell=bash
# Common to the benchmarks; sourced. `work` is the script's temporary folder.

# Ends the script, also from a command substitution, if the script ends with `check_failures`.
fail() {
    echo "${0##*/}: $1" >&2
    [[ -z ${work:-} ]] || : >"$work/failed"
    exit 1
}

# A failed command ends the command substitution that it is in, too.
shopt -s inherit_errexit

# An argument with a failed command substitution is empty, and ends nothing.
check_failures() { [[ ! -e $work/failed ]] || exit 1; }

# check NUMBER...: fails unless each is a number, which may have decimals.
check() {
    local number
    for number in "$@"; do [[ $number =~ ^-?[0-9]+(\.[0-9]+)?$ ]] || fail "not a number: \"$number\""; done
}

# Sleeps without starting a process.
pause() {
    if [[ -z ${nothing:-} ]]; then
        mkfifo "$work/nothing"
        exec {nothing}<>"$work/nothing"
    fi
    read -r -t "$1" -u "$nothing" || true
}

# mark NAME begin|end: for `metered`, which creates a file when it has taken the CPU time.
mark() {
    local count
    echo "@cpu $1 $2"
    for ((count = 0; count < 1200; count++)); do
        [[ ! -e ${METERED_MARKS:?runs only in metered}/$1.$2 ]] || return 0
        pause 0.05
    done
    fail "no CPU time of $1"
}

# MARK: Formats

# quotient DIVIDEND DIVISOR DECIMALS
quotient() {
    check "$1" "$2"
    [[ $2 =~ [1-9] ]] || fail "$1 relative to 0"
    awk -v a="$1" -v b="$2" -v decimals="$3" 'BEGIN { printf "%.*f\n", decimals, a / b }'
}

seconds() { echo "$(quotient "$1" 1000000 3) s"; }
milliseconds() { echo "$(quotient "$1" 1000 2) ms"; }
ratio() { quotient "$1" "$2" 2; }
