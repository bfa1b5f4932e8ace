"""Rendered components brought into the cluster: planned, applied, waited for, pruned."""
