"""What the cluster should be, and what its API says of it."""
