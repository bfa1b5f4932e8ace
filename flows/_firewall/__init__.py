"""The firewall of many hosts looked at, changed, adopted and brought back."""
