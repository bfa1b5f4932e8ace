"""How a kernel judges a packet: iptables, nftables, sockets."""
