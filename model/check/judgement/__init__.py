"""Judgements that several checks make: pure functions of the site and of facts that every look at a host tells."""
