"""What the port matrix lets through, and what has to be asked of the organisation for it."""
