"""Changes by other tools, each under traffic; see parts/drift."""

import os
import re
import sys
import time

import judge
from judge import BACKEND, IS_NFTABLES, run as shell
from proxy import LOG
from run import Run
from table import number, read, row, say, times
from traffic import Traffic

DEVICE = "/sys/class/net/kube-ipvs0"
FOUR = f"iptables-{BACKEND}"
SIX = f"ip6tables-{BACKEND}"
SERVER = "-t 10.96.1.0:80"
REAL = f"{SERVER} -r 10.244.1.10:8080"


# MARK: Fast looks at the kernel; the judge confirms what they find.


class Fast:
    """Conditions that take less than a millisecond, so that the time to heal is exact."""

    def __init__(self, run):
        self.addresses = run.cluster.addresses()

    def device(self):
        return os.path.exists(DEVICE)

    def local(self):
        """All service addresses are local: addresses and routes of the table local."""
        if not self.device():
            return False
        text = read("/proc/net/fib_trie")
        found = set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", text))
        six = read("/proc/net/if_inet6")
        return all(
            address in found if "." in address else "".join(f"{int(part or 0, 16):04x}" for part in expand(address)) in six for address in self.addresses)

    def setting(self, name, value):
        return lambda: read(f"/proc/sys/{name}").strip() == value


def expand(address):
    import ipaddress

    return ipaddress.ip_address(address).exploded.split(":")


# MARK: The changes

# Removes every rule and chain of the proxy at once.
CNI = " ".join(
    f"{family}-save | grep -v KUBE | {family}-restore;" for family in (FOUR, SIX))

# FirewallBackend=iptables, at a reload: firewalld sets policies, then empties every table of both families and deletes the chains (`firewalld/core/ipXtables.py`).
FIREWALLD_IPTABLES = " ".join(
    f"for table in filter nat mangle raw; do {tables} -w -t $table -F; {tables} -w -t $table -X; {tables} -w -t $table -Z; done 2>/dev/null;" for tables in (FOUR, SIX))
# FirewallBackend=nftables, at a reload: only its own table, in transactions (`firewalld/core/nftables.py`).
FIREWALLD_NFTABLES = """nft -f - <<'END'
add table inet firewalld
delete table inet firewalld
add table inet firewalld
add chain inet firewalld filter_FORWARD { type filter hook forward priority filter + 10; policy accept; }
add rule inet firewalld filter_FORWARD ct state established,related accept
END
nft delete table inet firewalld"""

# Restarts with ManageForeignRoutes=yes on a link that matches one of its .network files: systemd-networkd removes addresses that it did not configure and routes that are
# not the kernel's (`link_drop_foreign_config`), and sets the link down and up.
NETWORKD = """ip link set kube-ipvs0 down
ip -4 address flush dev kube-ipvs0
ip -6 address flush dev kube-ipvs0 scope global
ip route flush dev kube-ipvs0 proto static
ip link set kube-ipvs0 up"""
# `nmcli device disconnect` or a reapply on a device that NetworkManager manages: addresses and routes are removed, and the link is set down.
NETWORK_MANAGER = """ip -4 route flush table all dev kube-ipvs0
ip -6 route flush table all dev kube-ipvs0
ip address flush dev kube-ipvs0
ip link set kube-ipvs0 down"""


def changes(fast):
    """(name, command, condition that shows the repair, or None for the judge)"""
    yield "ipvsadm -C", "ipvsadm -C", None
    yield "ipvsadm -D: a virtual server", f"ipvsadm -D {SERVER}", None
    yield "ipvsadm -d: a real server", f"ipvsadm -d {REAL}", None
    yield "ipvsadm -e: a weight", f"ipvsadm -e {REAL} -m -w 7", None
    yield "ipvsadm -e: weight 0", f"ipvsadm -e {REAL} -m -w 0", None
    yield "ipvsadm -E: a scheduler", f"ipvsadm -E {SERVER} -s lc", None
    yield "ipvsadm -E: persistence", f"ipvsadm -E {SERVER} -s rr -p 60", None
    yield "ipvsadm -a: a real server of others", f"ipvsadm -a {SERVER} -r 10.244.1.12:8080 -m -w 1", None
    yield "ipvsadm -A: a virtual server on a service address", "ipvsadm -A -t 10.96.1.0:9999 -s rr", None
    yield "ipvsadm --restore of an older state", "ipvsadm -S -n >/run/endurance/old; ipvsadm -C; head -n 20 /run/endurance/old | ipvsadm -R", None

    if IS_NFTABLES:
        table, table6 = "ip kube-ipvs-proxy", "ip6 kube-ipvs-proxy"
        yield "nft delete table ip", f"nft delete table {table}", None
        yield "nft delete table ip6", f"nft delete table {table6}", None
        yield "nft flush table", f"nft flush table {table}", None
        yield "nft flush chain", f"nft flush chain {table} nat-KUBE-SERVICES", None
        yield "nft flush set", f"nft flush set {table} KUBE-CLUSTER-IP", None
        yield "nft delete element", f"nft delete element {table} KUBE-CLUSTER-IP '{{ 10.96.1.0 . tcp . 80 }}'", None
        yield "nft add element", f"nft add element {table} KUBE-CLUSTER-IP '{{ 10.96.99.99 . tcp . 80 }}'", None
        yield "nft insert rule", f"nft insert rule {table} nat-KUBE-SERVICES return", None
        yield "nft flush ruleset", "nft flush ruleset", None
    else:
        yield "ipset flush", "ipset flush", None
        yield "ipset flush of a set", "ipset flush KUBE-CLUSTER-IP", None
        yield "ipset del", "ipset del KUBE-CLUSTER-IP 10.96.1.0,tcp:80", None
        yield "ipset add", "ipset add KUBE-CLUSTER-IP 10.96.99.99,tcp:80", None
        yield "ipset destroy, without rules", "; ".join(
            f"{tables} -t {table} -F; {tables} -t {table} -X" for tables in (FOUR, SIX) for table in ("nat", "filter")) + "; ipset destroy", None
        for tables in (FOUR, SIX):
            for table in ("nat", "filter"):
                yield f"{tables} -t {table} -F", f"{tables} -t {table} -F", None
        yield f"{FOUR} -D: the jump from PREROUTING", f"{FOUR} -t nat -D PREROUTING 1", None
        yield f"{FOUR} -F: a chain", f"{FOUR} -t nat -F KUBE-SERVICES", None
        yield f"{FOUR} -X: a chain", (
            f"{FOUR} -t nat -S | sed -n 's/^-A \\(.* KUBE-LOAD-BALANCER\\)$/-D \\1/p' | while IFS= read -r rule; do eval {FOUR} -t nat $rule; done; "
            f"{FOUR} -t nat -F KUBE-LOAD-BALANCER; {FOUR} -t nat -X KUBE-LOAD-BALANCER"), None
        yield f"{FOUR} -I: a rule in a chain of the proxy", f"{FOUR} -t nat -I KUBE-SERVICES -j RETURN", None
        yield "CNI plugin: iptables-save | grep -v KUBE | iptables-restore", CNI, None
        yield "firewalld reload, backend iptables", FIREWALLD_IPTABLES, None
        if BACKEND == "nft":
            yield "nft flush ruleset", "nft flush ruleset", None
    if IS_NFTABLES or BACKEND == "nft":
        yield "firewalld reload, backend nftables", FIREWALLD_NFTABLES, None

    yield "ip link delete", "ip link delete kube-ipvs0", fast.local
    yield "ip link set name", "ip link set kube-ipvs0 down; ip link set kube-ipvs0 name other0", fast.local
    yield "ip link set up, then down", "ip link set kube-ipvs0 up; ip link set kube-ipvs0 down", fast.local
    yield "ip address flush", "ip address flush dev kube-ipvs0", fast.local
    yield "ip address delete", "ip address delete 10.96.1.0/32 dev kube-ipvs0", fast.local
    yield "ip address delete, IPv6", "ip -6 address delete fd00:96::1:0/128 dev kube-ipvs0", fast.local
    yield "ip address add: of others", "ip address add 10.96.99.99/32 dev kube-ipvs0", None
    yield "ip route delete", "ip route delete table local local 10.96.1.0 dev kube-ipvs0", fast.local
    yield "ip route flush table local", "ip -4 route flush table local dev kube-ipvs0", fast.local
    yield "systemd-networkd restart, ManageForeignRoutes=yes", NETWORKD, fast.local
    yield "NetworkManager disconnects the device", NETWORK_MANAGER, fast.local

    for name, wrong in (("net/ipv4/vs/conntrack", "0"), ("net/ipv4/vs/expire_nodest_conn", "0"), ("net/ipv4/ip_forward", "0")):
        yield f"sysctl {name.replace('/', '.')}={wrong}", f"echo {wrong} >/proc/sys/{name}", fast.setting(name, "1")
    yield "conntrack -F", "conntrack -F", None
    # Whoever sets them wants that for all of IPVS.
    yield "ipvsadm --set: timeouts (reported, not repaired)", "ipvsadm --set 60 10 20", lambda: "IPVS timeouts changed externally" in read(LOG)


def heal(run, condition, limit):
    """Returns the seconds until the repair, or None."""
    start = time.monotonic()
    while condition and not condition():
        if time.monotonic() - start > limit:
            return None
        time.sleep(0.001)
    fast = time.monotonic() - start
    seconds = run.judge.wait(limit, pause=0)
    return None if seconds is None else fast if condition else seconds


def show(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def main():
    run = Run(more=["--ipvs-tcp-timeout=15m", "--ipvs-tcpfin-timeout=2m", "--ipvs-udp-timeout=5m"])
    run.begin()
    run.cluster.pause()
    if run.judge.wait(run.limit) is None:
        raise RuntimeError("not in sync before the first change")
    run.traffic.finish()
    only = re.compile(os.environ.get("ONLY") or ".")
    succeeded = True
    for name, command, condition in changes(Fast(run)):
        if not only.search(name):
            continue
        taken, problem, counts = [], None, [0, 0, 0, 0]
        for _ in range(number("ROUNDS", 1)):
            traffic = Traffic(50)
            # Each at another moment of the sync period.
            time.sleep(run.random.uniform(1, 5))
            output = shell(command + " 2>&1", check=False).strip()
            seconds = heal(run, condition, run.limit)
            counts = [before + now for before, now in zip(counts, traffic.finish())]
            if output and not name.startswith(("conntrack", "CNI")):
                say(f"{name}: {output[:300]}")
            if seconds is None:
                problem = f"not repaired within {run.limit:.0f} s: {getattr(run.judge, 'last', '')}"
                # The rest starts from the desired state.
                run.proxy.kill()
                shell("ip link delete kube-ipvs0; ip link delete other0; ipvsadm -C", check=False)
                run.proxy.start()
                if run.judge.wait(120) is None:
                    raise RuntimeError(f"a restart did not repair {name}")
                break
            taken.append(seconds)
        if not run.proxy.is_running():
            problem = f"the proxy ended: {run.proxy.tail()}"
            run.proxy.start()
        succeeded = succeeded and not problem
        made, failed, requests, broken = counts
        result = f"{made} connections, {failed} failed; {run.traffic.kept * max(1, len(taken))} established, {broken} broken"
        row(name, max(1, len(taken)), result, ", ".join(show(seconds) for seconds in taken), problem)
    run.keep()
    return succeeded


sys.exit(0 if main() else 1)
