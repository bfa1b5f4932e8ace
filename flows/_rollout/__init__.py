"""The flow `rollout`: components planned, applied side by side in the graph's order, awaited and tried."""
