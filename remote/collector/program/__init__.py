"""What runs on the host: standard library only, reads wishes on standard input, prints one JSON document."""
