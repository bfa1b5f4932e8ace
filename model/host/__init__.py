"""What a host should hold, and what it says of itself."""
