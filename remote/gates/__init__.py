"""Gates: each tries a component as its user would, changes nothing lasting, and says what it saw."""
