"""SIGKILL at random moments; see parts/kill."""

import collections
import sys
import time

import judge
from run import Run
from table import number, say, times


def remove_rules(run):
    """As another tool does while the proxy is down: the next start restores them. The chain is of a family and table without connections that need it now."""
    if judge.IS_NFTABLES:
        judge.run("nft flush chain ip6 kube-ipvs-proxy nat-KUBE-LOAD-BALANCER", check=False)
    else:
        judge.run(f"ip6tables-{judge.BACKEND} -t nat -F KUBE-LOAD-BALANCER; iptables-{judge.BACKEND} -t nat -F KUBE-LOAD-BALANCER")


def wait_until_restoring(proxy, limit=20):
    """Returns when iptables-restore runs; without it (nftables), when the state is read from the API server."""
    start = time.monotonic()
    while time.monotonic() - start < limit and proxy.is_running():
        if any("restore" in name for name in proxy.children()):
            return True
        time.sleep(0.002)
    return False


def main():
    kills = number("KILLS", 500)
    run = Run()
    run.begin()
    kinds, healed, lost = collections.Counter(), [], 0
    for round in range(kills):
        kind = run.random.choices(["in operation", "in a start", "while rules are restored"], [5, 3, 2])[0]
        run.cluster.go_on()
        time.sleep(run.random.uniform(0, 1.2))
        if kind != "in operation":
            # The kill that is counted hits the start of a proxy which another kill made necessary.
            run.proxy.kill()
            if kind == "while rules are restored":
                remove_rules(run)
            run.proxy.start()
            if kind == "in a start":
                time.sleep(run.random.uniform(0, 0.7))
            elif judge.IS_NFTABLES:
                time.sleep(run.random.uniform(0.1, 0.5))
            elif wait_until_restoring(run.proxy):
                kinds["while iptables-restore runs"] += 1
                time.sleep(run.random.uniform(0, 0.01))
        kinds[kind] += 1
        run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        time.sleep(run.random.uniform(0, 0.5))  # Changes also happen during the start.
        seconds = run.settle()
        if seconds is None:
            lost += 1
            say(f"kill {round + 1} ({kind}): not in sync")
            if lost == 3:
                break
        else:
            healed.append(time.monotonic() - start)
        if (round + 1) % 50 == 0:
            say(f"{round + 1} kills, {run.cluster.changes} changes, in sync after a restart: {times(healed)}")
    say(", ".join(f"{count} {name}" for name, count in kinds.items()))
    what = "SIGKILL: " + ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
    return run.end(what, kills, times(healed), lost)


sys.exit(0 if main() else 1)
