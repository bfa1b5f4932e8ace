"""Bootstrap and day two: making a cluster of hosts, bringing nodes in and out, upgrades, certificates, etcd."""
