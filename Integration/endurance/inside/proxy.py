"""The proxy as a process of the node."""

import os
import signal
import subprocess
import time

from judge import BACKEND, IS_NFTABLES

LOG = "/run/endurance/proxy.log"
STATE = "/run/endurance/state"
KUBECONFIG = "/run/endurance/kubeconfig"


class Proxy:
    def __init__(self, source=None, more=(), log=LOG, state=STATE):
        os.makedirs("/run/endurance", exist_ok=True)
        filter = ["--packet-filter=nftables"] if IS_NFTABLES else ["--packet-filter=iptables", f"--iptables-backend={BACKEND}"]
        self.command = [
            os.environ["KUBE_IPVS_PROXY"], "run", source or f"--kubeconfig={KUBECONFIG}", "--hostname-override=node1",
            "--cluster-cidr=10.244.0.0/16,fd00:244::/32", f"--state-directory={state}", "--ipvs-min-sync-period=100ms", *filter, *more,
        ]
        self.log = log
        self.process = None
        self.starts = 0

    def start(self, stdout=None, stderr=None, before=(), more=(), close_fds=False):
        """Starts it; `before` are words of a command that executes it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*before, *self.command, *more], stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=stderr or log, close_fds=close_fds)
        self.starts += 1

    @property
    def id(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL; fails if the process had ended before."""
        if not self.is_running():
            raise RuntimeError(f"the proxy had ended with status {self.process.poll()}: {self.tail()}")
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, limit=30):
        self.signal(signal.SIGTERM)
        return self.process.wait(limit)

    def children(self):
        """The names of the programs that it runs."""
        names = []
        try:
            for task in os.listdir(f"/proc/{self.id}/task"):
                with open(f"/proc/{self.id}/task/{task}/children") as file:
                    for child in file.read().split():
                        with open(f"/proc/{child}/comm") as comm:
                            names.append(comm.read().strip())
        except OSError:
            pass
        return names

    def wait_for_log(self, text, limit=120, since=0):
        start = time.monotonic()
        while text.encode() not in self.read_log(since):
            if time.monotonic() - start > limit:
                raise TimeoutError(f"waited {limit} s for {text} in the log: {self.tail()}")
            time.sleep(0.05)

    def read_log(self, since=0):
        with open(self.log, "rb") as file:
            file.seek(since)
            return file.read()

    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def tail(self):
        return self.read_log(max(0, self.log_size() - 1500)).decode(errors="replace")
