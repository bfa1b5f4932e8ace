"""What is done with etcd: its state shown, a snapshot taken, a cluster brought back from one."""
