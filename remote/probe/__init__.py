"""Probes fired from hosts and witnessed on hosts."""
