"""What the generated documents say."""
