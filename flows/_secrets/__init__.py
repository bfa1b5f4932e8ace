"""What stands behind `flows.secrets`: the store looked at, filled, shown, handed on, rotated."""
