"""What runs on hosts: standard library only, sent over the SSH session, nothing written there."""
