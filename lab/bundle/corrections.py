"""Faults of published modules that the lab's images must not have."""

from __future__ import annotations

from lab.bundle.ingredients import Correction

_POLICIES = "pkg/controllers/netpol"
_RANGES = "\tif len(npc.serviceClusterIPRanges) > 0 {\n"
# Neighbours must find each other: in the chain of forwarded packets these messages pass, in that of the host's own
# they are left to the host's firewall.
_NEIGHBOURS = """\
	if handler, enabled := npc.iptablesCmdHandlers[v1core.IPv6Protocol]; enabled {
		for index, kind := range []string{"135", "136"} {
			verdicts := map[string]string{kubeForwardChainName: "ACCEPT", kubeInputChainName: "RETURN"}
			for chain, verdict := range verdicts {
				rule := []string{"-p", "ipv6-icmp", "-m", "icmp6", "--icmpv6-type", kind, "-m", "comment", "--comment",
					"neighbour discovery " + kind, "-j", verdict}
				uuid, err := addUUIDForRuleSpec(chain, &rule)
				if err != nil {
					klog.Fatalf("Failed to get uuid for rule: %s", err.Error())
				}
				ensureRuleAtPosition(handler, chain, rule, uuid, index+1)
			}
			rulePosition[v1core.IPv6Protocol]++
		}
	}

"""

_LINE = '\t\tcontent := strings.Split(line, " ")\n'
_OTHERS = """\
		if len(content) > 1 && strings.HasPrefix(content[1], "inet6:") != ipset.isIpv6 {
			continue
		}
"""

_CONTROLLER = f"{_POLICIES}/network_policy_controller.go"
_FIELD = "\tsyncPeriod                  time.Duration\n"
_CHAINS = """\
	// ensure kube-router specific top level chains and corresponding rules exist
	npc.ensureTopLevelChains()
"""
_CHAINS_NOW_AND_THEN = """\
	if time.Since(npc.lookedAtChains) > 2*npc.syncPeriod {
		npc.ensureTopLevelChains()
		npc.lookedAtChains = time.Now()
	}
"""
_SYNC = "\t\t\t\tnpc.fullPolicySync() // fullPolicySync() is a blocking request here\n"
_PAUSE = "\t\t\t\ttime.Sleep(time.Second)\n"

# kube-router 2.1.0 names its sets of IPv6 addresses in rules without their prefix: no rule that allows would load.
# It drops the messages by which IPv6 neighbours find each other, to and from pods that a policy selects. And after its
# first look each family's handler holds the sets of both, so that one writes back what the other has just changed:
# new pods stay unknown, by chance of which of them comes last.
KUBE_ROUTER = (
    *(
        Correction(
            f"{_POLICIES}/policy.go",
            f'"--match-set", {side}IPSetName, ',
            f'"--match-set", npc.ipSetHandlers[ipFamily].Name({side}IPSetName), ',
        )
        for side in ("src", "dst")
    ),
    Correction(_CONTROLLER, _RANGES, _NEIGHBOURS + _RANGES),
    Correction("pkg/utils/ipset.go", _LINE, _LINE + _OTHERS),
    # No fault where a node has its own processors. Here sixteen share two, and for every pod that comes or goes each
    # runs some seventy programs, most to look at chains that never change: half of what a rollout has to work with.
    # Changes that come within a second of the last look are one.
    Correction(_CONTROLLER, _FIELD, _FIELD + "\tlookedAtChains              time.Time\n"),
    Correction(_CONTROLLER, _CHAINS, _CHAINS_NOW_AND_THEN),
    Correction(_CONTROLLER, _SYNC, _SYNC + _PAUSE),
)
