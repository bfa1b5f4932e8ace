"""What a bundle holds, and whether it is whole."""
