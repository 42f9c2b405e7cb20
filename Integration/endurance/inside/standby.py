"""A standby that takes over; see parts/standby."""

import datetime
import os
import re
import signal
import subprocess
import sys
import time

from proxy import Proxy
from run import Run
from table import middle, number, row, say

ENDED = "The instance that held this network namespace ended"
ACTS = "Taking over"
READY = "Ready to take over"
IN_SYNC = "Kernel state in sync"
LARGE = "/run/endurance/large"
SIGNALS = [signal.SIGKILL, signal.SIGTERM]


class Pair:
    """The instance that serves and the one that waits, which change places with each takeover."""

    def __init__(self, holder, standby):
        self.holder, self.standby = holder, standby
        self.acts = {signal: [] for signal in SIGNALS}
        self.synced = {signal: [] for signal in SIGNALS}

    def wait_as_standby(self):
        self.since = self.standby.log_size()
        self.standby.start()
        self.standby.wait_for_log(READY, 300, self.since)

    def take_over(self, number):
        """Ends the holder, and notes how long the standby took."""
        self.holder.signal(number)
        self.holder.process.wait()
        end = time.time()
        self.standby.wait_for_log(IN_SYNC, 300, self.since)
        self.acts[number].append(self.time(ACTS) - end)
        self.synced[number].append(self.time(IN_SYNC) - end)
        self.holder, self.standby = self.standby, self.holder

    def time(self, message):
        """When the standby logged a message, as seconds since 1970: `I1128 12:00:00.123456`."""
        line = next(line for line in self.standby.read_log(self.since).decode(errors="replace").splitlines() if f'"{message}"' in line)
        month, day, hour, minute, second, fraction = re.match(r"\w(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})", line).groups()
        year = datetime.datetime.now().year
        return datetime.datetime(year, int(month), int(day), int(hour), int(minute), int(second), int(fraction)).timestamp()

    def measured(self):
        # The holder's process may end before `wait` returns.
        def text(values):
            return f"median {max(0, middle(values)) * 1000:.0f} ms, at most {max(0, *values) * 1000:.0f} ms"

        return "; ".join(
            f"{signal.name}: acts after {text(self.acts[signal])}, in sync after {text(self.synced[signal])}" for signal in SIGNALS if self.acts[signal])


def small(run):
    count, lost = number("TAKEOVERS", 100), 0
    pair = Pair(run.proxy, Proxy(log="/run/endurance/standby.log"))
    for round in range(count):
        pair.wait_as_standby()
        run.cluster.go_on()
        time.sleep(run.random.uniform(0, 1))
        if round % 4 > 1:
            # What the holder does not program any more.
            pair.holder.signal(signal.SIGSTOP)
            time.sleep(0.5)
        pair.holder.signal(signal.SIGCONT) if round % 2 else None
        pair.take_over(SIGNALS[round % 2])
        if run.settle() is None:
            lost += 1
    run.proxy = pair.holder
    return run.end("the instance that serves ends, and a standby takes over", count, pair.measured(), lost)


def table():
    return sorted(line for line in subprocess.run(["ipvsadm", "-S", "-n"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines())


def large(services, count):
    """With manifests: the time does not depend on the source, and nobody needs to create the objects one by one."""
    os.makedirs(LARGE, exist_ok=True)
    endpoint = 0
    for first in range(0, services, 1000):
        with open(f"{LARGE}/{first}.yaml", "w") as file:
            for service in range(first, min(first + 1000, services)):
                name, address = f"s{service}", f"10.{96 + service // 65536}.{service // 256 % 256}.{service % 256}"
                addresses = []
                for _ in range(10):
                    endpoint += 1
                    addresses.append(f"10.{128 + endpoint // 65536}.{endpoint // 256 % 256}.{endpoint % 256}")
                file.write(
                    f"---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: large}}, spec: {{clusterIP: {address}, clusterIPs: [{address}], "
                    "ports: [{name: p, port: 80, targetPort: 8080}]}}\n"
                    f"---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: {name}, namespace: large, labels: "
                    f"{{kubernetes.io/service-name: {name}}}}}, addressType: IPv4, ports: [{{name: p, port: 8080}}], endpoints: ["
                    + ", ".join(f"{{addresses: [{address}]}}" for address in addresses)
                    + "]}\n")
    more = ["--service-cluster-ip-range=10.96.0.0/11"]
    pair = Pair(*(Proxy(f"--manifests={LARGE}", more, f"/run/endurance/large-{name}.log", "/run/endurance/large-state") for name in ("a", "b")))
    pair.holder.start()
    pair.holder.wait_for_log(IN_SYNC, 600)
    before, changed = table(), 0
    for round in range(count):
        pair.wait_as_standby()
        pair.take_over(SIGNALS[round % 2])
        changed += table() != before
    pair.holder.stop()
    problem = f"{changed} takeovers changed the table of IPVS" if changed else None
    row(f"the same with {services} Services of 10 endpoints", count, f"{len(before)} virtual and real servers, {changed} times changed", pair.measured(), problem)
    return problem is None


def main():
    run = Run()
    run.begin()
    done = small(run)
    run.proxy.stop()
    services = number("LARGE", 10000)
    if services:
        say("many Services")
        done = large(services, number("LARGE_TAKEOVERS", 6)) and done
    return done


sys.exit(0 if main() else 1)
