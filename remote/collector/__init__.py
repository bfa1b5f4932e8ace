"""Everything compliance looks at on a host, learned in one round trip by a program that can change nothing."""
