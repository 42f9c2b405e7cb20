# Counts the rules that one packet met, from rules whose counters were zero before it: the output of `iptables-save -c`, or of `nft list table` of a table in which
# every rule has a counter. A rule is met if the packet enters its chain and no earlier rule ended the way through it; a counter tells whether the packet matched.
# The first rule of each base chain counts its visits: its comment is bench-visits. Set `pod` if the client is in 10.128.0.0/9.
#
# Prints for nat and filter: rules, and lookups in sets: of a rule with several sets, those after the first count if the rule matched, and a lookup is left out if the
# source range or protocol of the rule excludes the packet, which is tested first. Prints the visits of each base chain too.

function add(chain, count, text,    target) {
    number = ++size[chain]
    counted[chain, number] = count
    spec[chain, number] = text
}

/^\*/ { table = substr($0, 2); next }
/^\[[0-9]+:[0-9]+\] -A / {
    split(substr($1, 2), packets, ":")
    text = $0
    sub(/^[^ ]* -A [^ ]* ?/, "", text)
    add(table "-" $3, packets[1], text)
    next
}
/^\tchain / { nft = $2; next }
/^\t}/ { nft = ""; next }
nft && match($0, /counter packets [0-9]+/) {
    # A named counter has no number: the first one with a number is ours.
    add(nft, substr($0, RSTART + 16, RLENGTH - 16), $0)
}

# Sets `kind` to next, return, end or jump, and `to`.
function find_target(text,    words) {
    kind = "next"
    if (text ~ /counter packets/) {
        sub(/.*counter packets [0-9]+ bytes [0-9]+ */, "", text)
        sub(/^counter name "[^"]*" */, "", text)
        split(text, words, " ")
        if (words[1] == "jump" || words[1] == "goto") { kind = words[1]; to = words[2] }
        else if (words[1] == "return") kind = "return"
        else if (words[1] ~ /^(accept|drop|reject|masquerade|dnat|snat)$/) kind = "end"
    } else if (match(text, /(^| )-[jg] [^ ]+/)) {
        split(substr(text, RSTART, RLENGTH), words, " ")
        to = words[2]
        if (to == "RETURN") kind = "return"
        else if (to ~ /^(ACCEPT|DROP|REJECT|MASQUERADE|DNAT|SNAT)$/) kind = "end"
        else if ((current "-" to) in size) { kind = words[1] == "-g" ? "goto" : "jump"; to = current "-" to }
        else if (to ~ /^KUBE-/) kind = "next" # An empty chain.
    }
}

function lookups(text, matched,    count) {
    count = gsub(/--match-set|@/, "&", text)
    if (pod && text ~ /(! -s|ip saddr !=) 10\.128\.0\.0\/9/) return 0
    if (text ~ /-p (udp|sctp)|(udp|sctp) dport|icmp type|meta l4proto (sctp|!= tcp)/) return 0
    return matched ? count : count > 0
}

# Returns whether the packet's way ended in the chain.
function walk(chain,    number, matched, ended, jump) {
    visited[chain]++
    for (number = 1; number <= size[chain]; number++) {
        if (spec[chain, number] ~ /bench-visits/) continue
        matched = counted[chain, number] > 0
        met[chain, number]++
        rules[current]++
        sets[current] += lookups(spec[chain, number], matched)
        if (!matched) continue
        counted[chain, number]--
        taken[chain, number]++
        find_target(spec[chain, number])
        if (kind == "return") return 0
        if (kind == "end") return 1
        if (kind == "jump" || kind == "goto") {
            jump = kind
            if (walk(to)) return 1
            if (jump == "goto") return 0
        }
    }
    return 0
}

END {
    for (chain in size) {
        if (spec[chain, 1] !~ /bench-visits/) continue
        current = chain
        sub(/-.*/, "", current)
        hook = chain
        sub(/.*-/, "", hook)
        print "visits." current "." hook, counted[chain, 1] + 0
        for (visit = counted[chain, 1]; visit > 0; visit--) { walk(chain); hooks[current]++ }
    }
    for (place in counted)
        if (spec[place] !~ /bench-visits/ && (counted[place] > 0 || met[place] > 1 && taken[place] > 0 && taken[place] < met[place])) {
            print "ambiguous: " spec[place]
            exit 1
        }
    for (current in hooks) { print "hooks." current, hooks[current]; print "rules." current, rules[current] + 0; print "sets." current, sets[current] + 0 }
}
