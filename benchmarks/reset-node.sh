# Takes a host back to where both sides begin: packages installed, images imported, no cluster. Runs as root on the host.
kubeadm reset --force >/dev/null 2>&1
systemctl stop kubelet haproxy keepalived 2>/dev/null
rm -rf /etc/cni/net.d/* /var/lib/cni /etc/kubernetes /var/lib/matrix-fleet/node /var/lib/matrix-fleet/secrets /root/.kube \
    /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf
for link in cni0 flannel.1 flannel-v6.1; do ip link delete "$link" 2>/dev/null; done
nft list tables | while read -r _ family table; do
    case $table in kube-proxy | flannel*) nft delete table "$family" "$table" ;; esac
done
true
