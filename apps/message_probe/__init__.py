"""Proves that a message sent by one user of a Matrix homeserver arrives at another; stands alone."""
