"""A million changes; see parts/soak."""

import os
import re
import sys
import time
import urllib.request

from judge import IS_NFTABLES, run as shell
from run import Run
from table import SHARED, host, middle, number, read, row, say

NAMESPACE = "soak"
RANGE = "10.128.0.0/9"


def field(text, name):
    found = re.search(rf"^{name}:?\s+(\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def sample(proxy):
    """Numbers of the process and of the kernel."""
    process = f"/proc/{proxy.id}"
    status = read(f"{process}/status")
    table = shell("ipvsadm -S -n", check=False)
    if IS_NFTABLES:
        members = shell("nft list table ip kube-ipvs-proxy", check=False).count(" . ")
    else:
        members = shell("ipset save", check=False).count("\nadd ")
    sockets = sum(os.readlink(f"{process}/fd/{name}").startswith("socket:") for name in os.listdir(f"{process}/fd") if os.path.islink(f"{process}/fd/{name}"))
    return {
        "descriptors": len(os.listdir(f"{process}/fd")),
        "sockets of the process": sockets,
        "threads": field(status, "Threads"),
        "resident memory (KiB)": field(status, "VmRSS"),
        "virtual servers": table.count("-A "),
        "real servers": table.count("-a "),
        "set members": members,
        "addresses": read("/proc/net/fib_trie").count("host LOCAL"),
        "IPVS connections": read("/proc/net/ip_vs_conn").count("\n"),
        "conntrack entries": int(read("/proc/sys/net/netfilter/nf_conntrack_count") or 0),
        "sockets of the node": field(read("/proc/net/sockstat"), "sockets: used"),
        "slab of the kernel (KiB)": field(read("/proc/meminfo"), "Slab"),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    }


class Counters:
    """Counters and histograms of /metrics, which must not go backwards while they exist."""

    def __init__(self):
        self.last, self.scrapes, self.backwards = {}, 0, []

    def scrape(self):
        with urllib.request.urlopen("http://127.0.0.1:10249/metrics", timeout=60) as answer:
            text = answer.read().decode()
        counting = {name for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE) if kind in ("counter", "histogram")}
        values = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            series, value = line.rsplit(" ", 1)
            name = series.split("{")[0]
            if name in counting or re.sub(r"_(total|count|sum|bucket)$", "", name) in counting:
                values[series] = float(value)
        for series, value in values.items():
            if value < self.last.get(series, 0):
                self.backwards.append(f"{series}: {self.last[series]:g}, then {value:g}")
        self.last = values
        self.scrapes += 1


def main():
    changes, duration, services = number("CHANGES", 1_000_000), number("DURATION", 1800.0), number("SOAK_SERVICES", 1000)
    run = Run(rate=5.0, more=["--metrics-per-service=endpoint"])
    run.proxy.start()
    if run.judge.wait(120) is None:
        raise RuntimeError(f"the first sync differs: {run.judge.last} {run.proxy.tail()}")
    run.judge.record_rules()
    host("fill", NAMESPACE, services, 10, RANGE)
    run.resume(interval=500)
    run.cluster.churn(run.rate)
    host("churn", NAMESPACE, changes / duration, duration, RANGE)
    samples, counters, problems = [], Counters(), []
    first = run.proxy.id
    start = time.monotonic()
    while not os.path.exists(f"{SHARED}/churned"):
        if time.monotonic() - start > 2 * duration + 600:
            raise TimeoutError("the changes do not end")
        time.sleep(max(1.0, duration / 90))
        if not run.proxy.is_running():
            raise RuntimeError(f"the proxy ended with status {run.proxy.process.poll()}: {run.proxy.tail()}")
        samples.append(sample(run.proxy))
        counters.scrape()
        if len(samples) % 10 == 0:
            say(f"{time.monotonic() - start:.0f} s: {samples[-1]}")
    churned = read(f"{SHARED}/churned").strip()
    say(churned)
    found = re.match(r"(\d+) changes in ([\d.]+) s", churned)
    if not found:
        problems.append(f"the changes failed: {churned[-200:]}")
    made, seconds = (int(found.group(1)), float(found.group(2))) if found else (0, 0)

    host("expected", NAMESPACE)
    run.judge.more_servers = set(read(f"{SHARED}/expected").splitlines())
    began = time.monotonic()
    lost = run.settle() is None
    healed = time.monotonic() - began
    if run.proxy.id != first:
        problems.append("the proxy was started again")
    succeeded = run.end(f"changes of the endpoints of {services} Services within {seconds:.0f} s, and {run.cluster.changes} of Services", made, f"{healed:.1f} s", int(lost), "; ".join(problems))

    quarter = len(samples) // 4
    for name in samples[0]:
        values = [one[name] for one in samples]
        second, last = middle(values[quarter : 2 * quarter]), middle(values[3 * quarter :])
        problem = f"{last} > {second} + 5 %" if last > max(second * 1.05, second + 2) else None
        row(f"soak: {name}", len(samples), f"median {second} in the second quarter, {last} in the last", f"at most {max(values)}", problem)
        succeeded = succeeded and not problem
    problem = "; ".join(counters.backwards[:3]) if counters.backwards else None
    row("soak: counters of /metrics between two scrapes", counters.scrapes, f"{len(counters.last)} series, {len(counters.backwards)} went backwards", "", problem)
    return succeeded and not problem


sys.exit(0 if main() else 1)
