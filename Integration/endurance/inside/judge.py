"""Compares the kernel with the desired state, by ipvsadm, ipset, nft, iptables-save and ip."""

import os
import re
import subprocess
import time

FILTER = os.environ["FILTER"]
IS_NFTABLES = FILTER == "nftables"
BACKEND = "nft" if FILTER == "iptables-nft" else "legacy"
SAVE = ["nft -n -s list table ip kube-ipvs-proxy", "nft -n -s list table ip6 kube-ipvs-proxy"]
if not IS_NFTABLES:
    SAVE = [f"{family}-{BACKEND}-save -t {table}" for family in ("iptables", "ip6tables") for table in ("nat", "filter")]


def run(command, check=True):
    result = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, close_fds=False)
    if check and result.returncode:
        raise RuntimeError(f"{command}: {result.stderr.strip()}")
    return result.stdout


def sections(*commands):
    """The outputs of commands, which one shell runs. What fails has no output, and differs."""
    return run("; ".join(f"{command} 2>/dev/null; echo @@@" for command in commands), check=False).split("@@@\n")[:-1]


def virtual_servers(text):
    """Without real servers that drain: weight 0, until their connections have ended."""
    return {line.strip() for line in text.splitlines() if not line.rstrip().endswith(" -w 0")}


def ipset_members(text):
    return {" ".join(line.split()[1:3]) for line in text.splitlines() if line.startswith("add KUBE-")}


def table_members(text):
    """Members of the sets of the table, in ipset's format: `KUBE-CLUSTER-IP 10.96.0.1,tcp:80`."""
    members = set()
    for name, body in re.findall(r"^\tset (\S+) \{(.*?)^\t\}", text, re.MULTILINE | re.DOTALL):
        elements = re.search(r"elements = \{(.*?)\}", body, re.DOTALL)
        for element in elements.group(1).split(",") if elements else []:
            words = element.split("counter")[0].split()
            words = [{"6": "tcp", "17": "udp"}.get(word, word) if index == 2 else word for index, word in enumerate(words)]
            words = [word for word in words if word != "."]
            if len(words) == 3:
                words = [words[0], f"{words[1]}:{words[2]}"]
            elif len(words) == 4:
                words = [words[0], f"{words[1]}:{words[2]}", words[3]]
            members.add(f"{name} {','.join(words)}")
    return members


def rules(texts):
    """Without counters, comments and the members of sets."""
    lines = []
    for text in texts:
        text = re.sub(r"elements = \{.*?\}", "", text, flags=re.DOTALL)
        text = re.sub(r"^# .*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"\[\d+:\d+\]|counter packets \d+ bytes \d+", "", text)
        lines += [line.rstrip() for line in text.splitlines() if line.strip()]
    return lines


def device_addresses(text):
    return {line.split()[3].split("/")[0] for line in text.splitlines() if " fe80:" not in line}


def local_routes(text):
    return {line.split()[1] for line in text.splitlines() if line.startswith("local ") and " fe80:" not in line}


# Without these, the rules that were recorded as the reference are wrong. They are kube-proxy's.
REQUIRED = [
    r"-A PREROUTING .*-j KUBE-SERVICES",
    r"-A OUTPUT .*-j KUBE-SERVICES",
    r"-A POSTROUTING .*-j KUBE-POSTROUTING",
    r"-A KUBE-SERVICES .*KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
    r"-A KUBE-POSTROUTING .*-j MASQUERADE",
    r"-A KUBE-FORWARD .*-j ACCEPT",
]
REQUIRED_TABLE = [r"hook prerouting", r"hook output", r"hook postrouting", r"@KUBE-CLUSTER-IP", r"masquerade"]


class Judge:
    def __init__(self, cluster):
        self.cluster = cluster
        self.reference = None
        self.more_servers = set()  # Lines of virtual and real servers of Services that are not in `cluster`: cluster IPs without local endpoints.

    def read(self):
        sets = "true" if IS_NFTABLES else "ipset save"
        servers, members, addresses, routes4, routes6, *saved = sections(
            "ipvsadm -S -n", sets, "ip -oneline address show dev kube-ipvs0", "ip -4 route show table local dev kube-ipvs0",
            "ip -6 route show table local dev kube-ipvs0", *SAVE)
        return {
            "virtual servers": virtual_servers(servers),
            "set members": table_members("".join(saved)) if IS_NFTABLES else ipset_members(members),
            "addresses": device_addresses(addresses),
            "local routes": local_routes(routes4 + routes6),
            "rules": rules(saved),
        }

    def expected(self):
        added = [line.split() for line in self.more_servers if line.startswith("-A ")]
        added = [(words[2].rsplit(":", 1), {"-t": "tcp", "-u": "udp"}[words[1]]) for words in added]
        addresses = self.cluster.addresses() | {address for (address, _), _ in added}
        members = {f"KUBE-CLUSTER-IP {address},{protocol}:{port}" for (address, port), protocol in added}
        members |= {f"KUBE-IPVS-IPS {address}" for (address, _), _ in added}
        found = {
            "virtual servers": self.cluster.virtual_servers() | self.more_servers,
            "set members": self.cluster.members() | members,
            "addresses": addresses,
            "local routes": addresses,
        }
        if self.reference is not None:
            found["rules"] = self.reference
        return found

    def record_rules(self):
        """The rules do not depend on the Services of this cluster: those after the first sync are the reference for all that follow."""
        self.reference = self.read()["rules"]
        text = "\n".join(self.reference)
        for pattern in REQUIRED_TABLE if IS_NFTABLES else REQUIRED:
            if not re.search(pattern, text):
                raise RuntimeError(f"the first sync left no rule {pattern}:\n{text}")

    def differences(self):
        actual, expected = self.read(), self.expected()
        found = []
        for name, want in expected.items():
            have = actual[name]
            if have == want:
                continue
            missing = sorted(set(want) - set(have))
            extra = sorted(set(have) - set(want))
            found.append(f"{name}: {len(missing)} missing {missing[:5]}, {len(extra)} unexpected {extra[:5]}")
        return found

    def wait(self, limit, pause=0.1):
        """Returns the seconds until the kernel equals the desired state, or None and prints the differences."""
        start = time.monotonic()
        while True:
            begun = time.monotonic()
            found = self.differences()
            if not found:
                return begun - start
            if time.monotonic() - start > limit:
                print("differences: " + "; ".join(found), flush=True)
                self.last = found
                return None
            time.sleep(pause)
