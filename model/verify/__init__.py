"""What the evidence of probes, rules and listeners means."""
