"""How a result is shown: on a terminal, as a page, and in the formats that other programs read."""
