# Rules that stand in every scenario and that kube-proxy has not got; each is put before the rule of kube-proxy's that it goes before.
/^-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT/i\
-A KUBE-IPVS-FILTER -p icmp -m icmp --icmp-type 8 -m set --match-set KUBE-IPVS-IPS dst -j RETURN\
-A KUBE-IPVS-FILTER -p tcp -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with tcp-reset\
-A KUBE-IPVS-FILTER -p sctp -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-proto-unreachable
/^-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-6-IPVS-IPS dst -j REJECT/i\
-A KUBE-IPVS-FILTER -p ipv6-icmp -m icmp6 --icmpv6-type 128 -m set --match-set KUBE-6-IPVS-IPS dst -j RETURN\
-A KUBE-IPVS-FILTER -p tcp -m conntrack --ctstate NEW -m set --match-set KUBE-6-IPVS-IPS dst -j REJECT --reject-with tcp-reset
