"""Clients that make connections, and that keep some, through virtual servers whose pods stay."""

import json
import os
import subprocess

END = "/run/endurance/end-traffic"


class Client:
    def __init__(self, name, namespace, command):
        self.name = name
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, os.environ["TRAFFIC"], *command.split(), "--until-file", END, "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self):
        output, _ = self.process.communicate(timeout=120)
        return json.loads(output)


class Traffic:
    """New connections from a pod and from outside, over IPv4 and IPv6, to the cluster IP and to a node port, and established ones.

    Each virtual server has clients with an address of their own. IPVS identifies the connection of a reply by client address, client port and real server: if a client used
    one port for two virtual servers with the same pod, which TCP allows, it would confuse these connections, with any proxy."""

    def __init__(self, interval=100):
        if os.path.exists(END):
            os.remove(END)
        six, four = "[fd00:96::1:0]:80", "10.96.1.0:80"
        outside, other = f"{four} --source 10.99.0.11", "10.99.0.2:30080 --source 10.99.0.12"
        new = f"--interval-ms {interval} --timeout-ms 10000"
        self.asking = [
            Client("from a pod", "pod-2", f"ask tcp {four} {new}"),
            Client("from a pod, IPv6", "pod-2", f"ask tcp {six} {new}"),
            Client("from outside", "outside", f"ask tcp {outside} {new}"),
            Client("from outside, node port", "outside", f"ask tcp {other} {new}"),
        ]
        self.holding = [
            Client("from a pod", "pod-2", f"hold tcp {four} --connections 4 --interval-ms 200"),
            Client("from outside", "outside", f"hold tcp {outside} --connections 4 --interval-ms 200"),
            Client("from outside, node port", "outside", f"hold tcp {other} --connections 2 --interval-ms 200"),
        ]
        self.kept = 10

    def finish(self):
        """Ends the traffic. Returns (connections made, failed, requests on established connections, broken) and prints the errors."""
        with open(END, "w"):
            pass
        made, failed = self._ended(self.asking, "connections")
        requests, broken = self._ended(self.holding, "established connections")
        return made, failed, requests, broken

    @staticmethod
    def _ended(clients, what):
        requests = failed = 0
        for client in clients:
            answer = client.finish()
            requests += answer["requests"]
            failed += answer["failed"]
            if answer["failed"]:
                print(f"{what} {client.name}: {answer['errors']}", flush=True)
        return requests, failed
