"""The cluster: Services and EndpointSlices on the API server, seeded changes of them, and the kernel state that they require.

The expected kernel state is derived from what was sent to the API server, by the rules of kube-proxy's IPVS mode, and shares no code with the proxy."""

import http.client
import ipaddress
import json
import os
import ssl
import threading
import time

from table import SHARED

NODE = "node1"
NAMESPACE = "endurance"
TARGET_PORT = 8080
# Of the node, without loopback and link-local addresses.
NODE_ADDRESSES = ["10.99.0.2", "10.244.1.1", "203.0.113.2", "fd00:99::2", "fd00:244:1::1"]


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class API:
    """A client of the API server over one connection."""

    def __init__(self, host, port):
        context = ssl.create_default_context(cafile=f"{SHARED}/ca.crt")
        context.check_hostname = False
        self.make = lambda: http.client.HTTPSConnection(host, port, context=context, timeout=30)
        self.connection = None
        self.is_offline = False

    def request(self, method, path, body=None, accept=(200, 201)):
        if self.is_offline:
            return b""
        text = None if body is None else json.dumps(body)
        for attempt in range(5):
            try:
                self.connection = self.connection or self.make()
                self.connection.request(method, path, text, {"Content-Type": "application/json"})
                response = self.connection.getresponse()
                answer = response.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 4:
                    raise
                time.sleep(0.2)
        # A request that is sent again may have been carried out before.
        if response.status not in accept and not (attempt and response.status in (404, 409)):
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]}")
        return answer


class Service:
    def __init__(self, name, number, ports, node_port=None, dual=False, affinity=False):
        self.name = name
        self.addresses = [str(ipaddress.ip_address("10.96.1.0") + number)]
        if dual:
            self.addresses.append(str(ipaddress.ip_address("fd00:96::1:0") + number))
        self.ports = ports  # [(protocol, port)]
        self.node_port = node_port  # For each port one more.
        self.affinity = affinity
        self.endpoints = []  # [(address, node, ready)]

    def object(self):
        spec = {
            "type": "NodePort" if self.node_port else "ClusterIP",
            "clusterIP": self.addresses[0],
            "clusterIPs": self.addresses,
            "ipFamilies": ["IPv6" if ":" in address else "IPv4" for address in self.addresses],
            "ipFamilyPolicy": "RequireDualStack" if len(self.addresses) > 1 else "SingleStack",
            "sessionAffinity": "ClientIP" if self.affinity else "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [
                {"name": f"port-{index}", "protocol": protocol, "port": port, "targetPort": TARGET_PORT}
                | ({"nodePort": self.node_port + index} if self.node_port else {})
                for index, (protocol, port) in enumerate(self.ports)
            ],
        }
        if self.node_port:
            spec["externalTrafficPolicy"] = "Cluster"
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": self.name, "namespace": NAMESPACE}, "spec": spec}

    def slices(self):
        for family in ["IPv4", "IPv6"][: len(self.addresses)]:
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{self.name}-{family.lower()}",
                    "namespace": NAMESPACE,
                    "labels": {"kubernetes.io/service-name": self.name},
                },
                "addressType": family,
                "ports": [{"name": f"port-{index}", "protocol": protocol, "port": TARGET_PORT} for index, (protocol, _) in enumerate(self.ports)],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": ready}, "nodeName": node}
                    for address, node, ready in self.endpoints
                    if (":" in address) == (family == "IPv6")
                ],
            }


class Cluster:
    SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
    SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"

    def __init__(self, random, services):
        self.random = random
        self.lock = threading.Lock()
        relay = os.environ["API_RELAY"].split(":")
        self.server = (relay[1], int(relay[2]))
        self.api = API(*self.server)
        self.services = {}
        self.numbers = services
        self.changes = 0
        self.error = None
        self.running = threading.Event()
        self.ended = False
        self.thread = None
        self.namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        addresses = [{"type": "InternalIP", "address": address} for address in ("10.99.0.2", "fd00:99::2")]
        self.node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": {"addresses": addresses}}
        self.api.request("POST", "/api/v1/namespaces", self.namespace)
        self.api.request("POST", "/api/v1/nodes", self.node)
        # The Service for the traffic, which never changes.
        steady = Service("steady", 0, [("TCP", 80), ("UDP", 80)], node_port=30080, dual=True)
        steady.endpoints = [(address, NODE, True) for pod in (0, 1) for address in (f"10.244.1.1{pod}", f"fd00:244:1::1{pod}")]
        self.create(steady)
        for number in range(1, services + 1):
            self.create(self.new(number))

    def write_kubeconfig(self, path):
        with open(f"{SHARED}/kubeconfig") as file:
            config = json.load(file)
        for cluster in config["clusters"]:
            cluster["cluster"] |= {"server": "https://{}:{}".format(*self.server), "tls-server-name": "kubernetes"}
        with open(path, "w") as file:
            json.dump(config, file)

    # Objects

    def objects(self):
        yield self.namespace
        yield self.node
        for service in self.services.values():
            yield service.object()
            yield from service.slices()

    def new(self, number):
        kind = self.random.random()
        ports = [("TCP", 80)] if kind < 0.6 else [("TCP", 80), ("UDP", 53)]
        service = Service(
            f"service-{number}", number, ports, node_port=30100 + 2 * number if kind > 0.85 else None, dual=0.3 < kind < 0.5, affinity=kind < 0.1
        )
        for _ in range(self.random.randrange(6)):
            self.add_endpoint(service)
        return service

    def add_endpoint(self, service):
        number = self.random.randrange(1, 60_000)
        node = self.random.choice([NODE, "node2", "node3"])
        new = [str(ipaddress.ip_address("10.245.0.0") + number)]
        if len(service.addresses) > 1:
            new.append(str(ipaddress.ip_address("fd00:245::") + number))
        taken = {address for address, _, _ in service.endpoints}
        if taken.isdisjoint(new):
            service.endpoints += [(address, node, True) for address in new]

    def create(self, service):
        self.api.request("POST", self.SERVICES, service.object())
        for slice in service.slices():
            self.api.request("POST", self.SLICES, slice)
        self.services[service.name] = service

    def replace_slices(self, service):
        for slice in service.slices():
            self.api.request("PUT", f"{self.SLICES}/{slice['metadata']['name']}", slice)

    def delete(self, service):
        self.api.request("DELETE", f"{self.SERVICES}/{service.name}")
        for slice in service.slices():
            self.api.request("DELETE", f"{self.SLICES}/{slice['metadata']['name']}")
        del self.services[service.name]

    # Changes

    def change(self):
        with self.lock:
            self._change()
            self.changes += 1

    def _change(self):
        number = self.random.randrange(1, self.numbers + 1)
        service = self.services.get(f"service-{number}")
        if service is None:
            return self.create(self.new(number))
        kind = self.random.random()
        if kind < 0.12:
            return self.delete(service)
        if kind < 0.2:
            port = self.random.choice([80, 81, 8080])
            service.ports = [(protocol, port if protocol == "TCP" else 53) for protocol, _ in service.ports]
            return self.api.request("PUT", f"{self.SERVICES}/{service.name}", service.object())
        if kind < 0.5 or not service.endpoints:
            self.add_endpoint(service)
        elif kind < 0.75:
            service.endpoints.pop(self.random.randrange(len(service.endpoints)))
        else:
            index = self.random.randrange(len(service.endpoints))
            address, node, ready = service.endpoints[index]
            service.endpoints[index] = (address, node, not ready)
        return self.replace_slices(service)

    def churn(self, rate):
        """Starts to change objects in the background."""

        def run():
            while not self.ended:
                self.running.wait()
                try:
                    self.change()
                except Exception as error:  # noqa: BLE001 - reported by `pause`.
                    self.error = error
                    return
                time.sleep(1 / rate)

        self.thread = threading.Thread(target=run, daemon=True)
        self.running.set()
        self.thread.start()

    def pause(self):
        """Returns when no change is going on."""
        self.running.clear()
        with self.lock:
            if self.error:
                raise self.error

    def go_on(self):
        self.running.set()

    # The expected state

    def virtual_servers(self):
        """Lines of `ipvsadm -S -n`."""
        lines = set()
        for service in self.services.values():
            for index, (protocol, port) in enumerate(service.ports):
                destinations = [(address, port) for address in service.addresses]
                if service.node_port:
                    families = {":" in address for address in service.addresses}
                    destinations += [(address, service.node_port + index) for address in NODE_ADDRESSES if (":" in address) in families]
                for address, number in destinations:
                    server = f"{'-t' if protocol == 'TCP' else '-u'} {endpoint(address, number)}"
                    lines.add(f"-A {server} -s rr{' -p 10800' if service.affinity else ''}")
                    for real, _, ready in service.endpoints:
                        if ready and (":" in real) == (":" in address):
                            lines.add(f"-a {server} -r {endpoint(real, TARGET_PORT)} -m -w 1")
        return lines

    def members(self):
        """Members of all sets that are not empty, as `SET MEMBER`, in the format of ipset."""
        lines = set()
        for service in self.services.values():
            for index, (protocol, port) in enumerate(service.ports):
                name = protocol.lower()
                for address in service.addresses:
                    prefix = "KUBE-6-" if ":" in address else "KUBE-"
                    lines.add(f"{prefix}CLUSTER-IP {address},{name}:{port}")
                    if service.node_port:
                        lines.add(f"{prefix}NODE-PORT-{protocol} {service.node_port + index}")
                    lines.add(f"{prefix}IPVS-IPS {address}")
                # Also of endpoints that are not ready, like kube-proxy.
                for real, node, _ in service.endpoints:
                    if node == NODE:
                        prefix = "KUBE-6-" if ":" in real else "KUBE-"
                        lines.add(f"{prefix}LOOP-BACK {real},{name}:{TARGET_PORT},{real}")
        return lines

    def addresses(self):
        return {address for service in self.services.values() for address in service.addresses}
