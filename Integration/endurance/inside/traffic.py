"""Clients that make connections, and that keep some, through virtual servers whose pods stay."""

import json
import os
import subprocess
import threading
import time

from table import say

END = "/run/endurance/end-traffic"


class Client:
    def __init__(self, name, namespace, command):
        self.name = name
        self.last = ""
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, os.environ["TRAFFIC"], *command.split(), "--until-file", END, "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        """With --follow, each failure is a line, except that the same one is not repeated."""
        for line in self.process.stdout:
            self.last = line
            if not line.startswith(("pod-", "{")):
                say(f"{time.strftime('%T')} {self.name}: {line.strip()}")
                say(subprocess.run(
                    "ipvsadm -Lnc | grep 10.99.0.1: | grep ESTAB; conntrack -L -p tcp -s 10.99.0.1 2>/dev/null | grep ESTAB; ip neigh; ip -n outside neigh; ip netns exec outside ss -tni state established", shell=True, stdout=subprocess.PIPE, text=True).stdout)

    def finish(self):
        self.process.wait(120)
        self.reader.join(10)
        return json.loads(self.last)


class Traffic:
    """New connections from a pod and from outside, over IPv4 and IPv6, to the cluster IP and to a node port, and established ones."""

    def __init__(self, interval=100):
        if os.path.exists(END):
            os.remove(END)
        six, four = "[fd00:96::1:0]:80", "10.96.1.0:80"
        new = f"--interval-ms {interval} --timeout-ms 10000"
        self.asking = [
            Client("from a pod", "pod-2", f"ask tcp {four} {new}"),
            Client("from a pod, IPv6", "pod-2", f"ask tcp {six} {new}"),
            Client("from outside", "outside", f"ask tcp {four} {new}"),
            Client("from outside, node port", "outside", f"ask tcp 10.99.0.2:30080 {new}"),
        ]
        self.holding = [
            Client("from a pod", "pod-2", f"hold tcp {four} --connections 4 --interval-ms 200 --follow"),
            Client("from outside", "outside", f"hold tcp {four} --connections 4 --interval-ms 200 --follow"),
            Client("from outside, node port", "outside", "hold tcp 10.99.0.2:30080 --connections 2 --interval-ms 200 --follow"),
        ]
        self.kept = 10

    def finish(self):
        """Ends the traffic. Returns (connections made, failed, requests on established connections, broken) and prints the errors."""
        with open(END, "w"):
            pass
        made = failed = requests = broken = 0
        for client in self.asking:
            answer = client.finish()
            made += answer["requests"]
            failed += answer["failed"]
            if answer["failed"]:
                print(f"connections {client.name}: {answer['errors']}", flush=True)
        for client in self.holding:
            answer = client.finish()
            requests += answer["requests"]
            broken += answer["failed"]
            if answer["failed"]:
                print(f"established connections {client.name}: {answer['errors']}", flush=True)
        return made, failed, requests, broken
