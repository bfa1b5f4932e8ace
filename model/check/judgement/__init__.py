"""Judgements that several checks make: each a pure function of the site and of facts that every look at a host tells."""
