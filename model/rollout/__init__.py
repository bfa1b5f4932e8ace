"""What the rollout brings into the cluster, in which order, and how it is judged."""
