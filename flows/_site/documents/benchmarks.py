"""The page of measured figures, from benchmarks/results.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows._render.words import table
from model.errors import SiteError

PAGE = "benchmarks.md"
# What each figure measures; a figure of results.json that is named nowhere here is shown without a sentence.
MEANINGS: Mapping[str, str] = {
    "agent_131070_ports_s": "one pair of agents: every TCP and UDP port of one host, sent, witnessed and collected",
    "firewall_17_s": "`flows.firewall` on 17 hosts whose ufw is installed and off: the first apply",
    "firewall_17_nochange_s": "`flows.firewall` once more, with nothing to change",
    "firewall_100_s": "the first apply on 100 hosts",
    "firewall_change_vs_ansible": "a change of the firewall, beside Ansible",
    "firewall_nochange_vs_ansible": "a run of the firewall that changes nothing, beside Ansible",
    "firewall_change_vs_pyinfra": "a change of the firewall, beside pyinfra",
    "firewall_open_packets": "packets that passed a closed port while a firewall was applied",
    "firewall_flood_packets": "packets that were sent at that port all the while, and arrived",
    "verify_boundaries_17_s": "`flows.verify_ports` on 17 hosts: the edges of every row on every pair, IPv4 and IPv6",
    "port_faults_changing": "of n drawn faults of netfilter, those that change what a plain connection meets",
    "port_faults_wrong_green": "of n drawn faults: where `flows.verify_ports`, `flows.firewall --dry-run` or"
    " `flows.compliance` took for right what a plain connection found otherwise",
    "port_faults_wrong_red": "of n drawn faults: where a violation was told that a plain connection did not meet",
    "port_faults_wrong_culprit": "of n drawn faults: where source, path, destination or NAT was wrongly named",
    "port_faults_unnamed_rule": "of n drawn faults: where a rule explained it and was not named",
    "port_faults_places": "ports of pairs of hosts told as plain connections met them, for n drawn faults",
    "port_faults_unproven": "of these, those told as unproven, with the right end or rule named",
    "verify_boundaries_100_s": "the same on 100 hosts",
    "verify_sweep_17_s": "every port once on 17 hosts (`--depth sweep`)",
    "verify_full_17_s": "every port of every pair on 17 hosts (`--depth full`)",
    "verify_tcp_vs_nmap": "TCP ports of one host, beside nmap",
    "controller_peak_mb_100": "memory of the controller while it proves 100 hosts",
    "bootstrap_total_s": "six bare hosts to a cluster, from preflight to the last look",
    "bootstrap_vs_bare_kubeadm": "endpoint to pod network, beside a script that calls kubeadm with the same files",
    "bootstrap_other_phases_s": "the phases of bootstrap that such a script has not",
    "bootstrap_nochange_s": "bootstrap once more, with nothing to change",
    "bootstrap_endpoint_to_ready_s": "endpoint to pod network and every node ready: ours, as the ratio has it",
    "bare_kubeadm_s": "the same by the script, as the ratio has it",
    "api_failover_s": "the longest silence of the API while each control plane in turn loses its power",
    "compliance_17_s": "`flows.compliance` on 17 hosts",
    "compliance_vs_ansible": "the same facts and judgements, beside Ansible",
    "compliance_vs_testinfra": "the same facts and judgements, beside testinfra",
    "compliance_ansible_17_s": "Ansible's run, as the ratio has it",
    "compliance_testinfra_17_s": "testinfra's run, as the ratio has it",
    "compliance_100_s": "`flows.compliance` on 100 hosts",
    "compliance_cpu_100_s": "processor time of the controller for these 100",
    "compliance_peak_mb_100": "memory of the controller for these 100",
    "rollout_total_s": "`flows.rollout` from a ready cluster of 16 servers with the images present to the last gate",
    "rollout_cpu_s": "processor time of the whole machine, the cluster's included, for that",
    "rollout_objects": "objects that it applies",
    "rollout_nochange_s": "`flows.rollout` once more, with nothing to change",
    "rollout_nochange_vs_kubectl_diff": "that, beside kubectl looking for differences in the same objects",
    "rollout_vs_kubectl_apply": "the first rollout without its gates, beside a script that applies the same objects in"
    " the same order and waits for them",
    "kubectl_diff_s": "kubectl's look, as the ratio has it",
    "kubectl_apply_s": "the script's run, as the ratio has it",
    "message_latency_p50_ms": "from sending a message to its arrival in the other's long poll: half of them at most",
    "message_latency_p99_ms": "the same: 99 of 100 at most",
}
_INTRODUCTION = """# Benchmarks

`make bench` measures on real hosts of [the lab](lab.md) and writes `benchmarks/results.json`; this page is made from
that file. A value is the median of n runs of the whole command, from its start to its end. A ratio is ours divided by
theirs, in one run on the same hosts: below 1 we are faster. `python -m benchmarks --only GROUP` measures one group anew
and keeps the others.
"""


def written(checkout: Path) -> dict[Path, str]:
    """
    Return the page that a checkout should have, by its path; nothing where nothing was measured there.

    Raises `SiteError` for a file of results that cannot be read as such.
    """
    results = checkout / "benchmarks" / "results.json"
    if not results.exists():
        return {}
    try:
        return {checkout / "docs" / PAGE: page(json.loads(results.read_text("utf-8")))}
    except (ValueError, LookupError, TypeError) as error:
        step = "run `make bench`, or restore the file from git"
        raise SiteError(f"benchmarks/results.json: holds no results: {error!r}", next_step=step) from error


def page(results: Mapping[str, Any]) -> str:
    """Return the page's text for the content of results.json, where empty means that nothing was measured yet."""
    if results == {}:
        return f"{_INTRODUCTION}\nNothing has been measured yet.\n"
    run = f"{results['machine']}; commit `{results['commit'][:12]}`; {results['date']}."
    lines = [_line(figure) for figure in results["figures"]]
    return f"{_INTRODUCTION}\n{run}\n\n{table(('figure', 'value', 'what', 'against', 'n', 'of another run'), lines)}\n"


def _line(figure: Mapping[str, Any]) -> tuple[str, ...]:
    name = figure["name"]
    parts = (figure.get("machine", ""), figure.get("commit", "")[:12], figure.get("date", ""))
    other_run = ", ".join(part for part in parts if part)
    return f"`{name}`", _value(figure), MEANINGS.get(name, ""), figure["against"], str(figure["n"]), other_run


def _value(figure: Mapping[str, Any]) -> str:
    number = f"{figure['value']:,.0f}" if figure["value"] >= 100 else f"{figure['value']:.3g}"
    return number if figure["unit"] == "ratio" else f"{number} {figure['unit']}"
