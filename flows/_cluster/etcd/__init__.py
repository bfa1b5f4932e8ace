"""What is done with etcd: its state told, a snapshot taken, a cluster brought back from one?"""
