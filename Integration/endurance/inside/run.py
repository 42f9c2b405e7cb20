"""What the parts have in common: a cluster, a proxy, a judge and traffic."""

import random
import os

from cluster import Cluster
from judge import Judge
from proxy import KUBECONFIG, LOG, Proxy
from table import SHARED, keep, number, row, say
from traffic import Traffic


class Run:
    def __init__(self, services=60, rate=20.0, more=()):
        os.makedirs("/run/endurance", exist_ok=True)
        self.limit = number("LIMIT", 60.0)
        self.random = random.Random(int(os.environ["SEED"]))
        # Changes and kills have generators of their own: the kills do not depend on how many changes a busy machine makes between two.
        self.cluster = Cluster(random.Random(int(os.environ["SEED"]) + 1), number("SERVICES", services))
        self.cluster.write_kubeconfig(KUBECONFIG)
        self.judge = Judge(self.cluster)
        self.proxy = Proxy(more=more)
        self.rate = number("RATE", rate)

    def begin(self, interval=100):
        """Starts the proxy, takes the rules after the first sync as the reference, and starts the traffic and the changes."""
        self.proxy.start()
        if self.judge.wait(120) is None:
            raise RuntimeError(f"the first sync differs: {self.judge.last} {self.proxy.tail()}")
        self.judge.record_rules()
        say(f"in sync: {len(self.cluster.virtual_servers())} lines of virtual and real servers")
        self.traffic = Traffic(interval)
        self.cluster.churn(self.rate)

    def resume(self, interval=100):
        """Starts the traffic and the changes again, for another row."""
        self.traffic = Traffic(interval)
        self.cluster.changes = 0
        self.cluster.go_on()

    def restart(self):
        """Starts the proxy again, as its supervisor does when it has ended."""
        self.proxy.process.wait()
        self.proxy.start()

    def settle(self):
        """Pauses the changes until the kernel equals the desired state. Returns the seconds, or None."""
        self.cluster.pause()
        return self.judge.wait(self.limit)

    def end(self, what, count, healed, lost, problem=None):
        """Ends the traffic, and prints the row with what was lost."""
        self.cluster.pause()
        made, failed, requests, broken = self.traffic.finish()
        problems = [problem] if problem else []
        if lost:
            problems.append(f"{lost} times the kernel did not equal the desired state within {self.limit:.0f} s")
        if failed:
            problems.append(f"{failed} connections failed")
        if broken:
            problems.append(f"{broken} established connections broke")
        result = f"{made} connections, {failed} failed; {self.traffic.kept} established, {broken} broken; {self.cluster.changes} changes, {lost} times not in sync"
        row(what, count, result, healed, "; ".join(problems))
        self.keep()
        return not problems

    def keep(self):
        keep(LOG, "proxy.log")
