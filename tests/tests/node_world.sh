#!/bin/sh
# A machine with something in it, in namespaces of its own (unshare --net --mount --pid): devices, routes, neighbours, queues, file systems.
# What this kernel does not have is said and left out. Then the arguments are run.
log=$(mktemp)
{
  mount --make-rprivate /
  mount -t sysfs sysfs /sys
  mount -t tmpfs tmpfs /run
  mkdir -p /run/dbus
  ip link set lo up
  ip link add wgv0 type veth peer name wgv1
  ip link add wgw0 type veth peer name wgw1
  ip link add wgbr type bridge
  ip link add wgdummy type dummy
  ip link add wgbond type bond mode active-backup miimon 100
  ip link add link wgw0 name wgw0.7 type vlan id 7
  ip link add wgwg type wireguard
  ip tuntap add wgtap mode tap
  ip link set wgv1 master wgbr
  ip link set wgdummy master wgbond
  for device in wgv0 wgv1 wgw0 wgw1 wgbr wgtap wgbond wgw0.7 wgwg; do ip link set "$device" up; done
  ip link set wgw0 alias 'the "second" one'
  ip addr add 10.97.0.1/24 dev wgv0
  ip addr add 10.98.0.1/24 dev wgw0
  ip addr add 2001:db8::1/64 dev wgw0 nodad
  ip route add default via 10.97.0.2
  ip route add 10.99.0.0/16 nexthop via 10.97.0.3 weight 3 nexthop via 10.98.0.9 weight 1
  ip route add 10.100.0.0/16 via 10.98.0.5 metric 42 proto static src 10.98.0.1
  ip route add blackhole 10.101.0.0/16
  ip route add 10.102.0.0/24 via 10.97.0.9 table 77
  ip route add 10.103.0.0/24 dev wgw0 scope link proto dhcp
  ip -6 route add 2001:db8:1::/48 via 2001:db8::9 metric 7
  ip neigh add 10.97.0.2 lladdr 02:00:00:00:00:02 dev wgv0 nud permanent
  ip neigh add 10.97.0.3 lladdr 02:00:00:00:00:03 dev wgv0 nud stale
  ip neigh add 10.98.0.5 lladdr 02:00:00:00:00:05 dev wgw0 nud stale
  ip neigh add 10.98.0.6 lladdr 02:00:00:00:00:06 dev wgw0 nud noarp
  tc qdisc add dev wgw0 root handle 1: prio
  tc qdisc add dev wgw0 parent 1:1 handle 10: pfifo limit 7
  tc qdisc add dev wgv0 root tbf rate 1mbit burst 32kbit latency 400ms
  tc qdisc add dev wgv0 ingress
  ipvsadm -A -t 10.97.0.1:80 -s rr
  ipvsadm -a -t 10.97.0.1:80 -r 10.98.0.5:8080 -m -w 3
  mkdir -p '/run/with space' /run/xfs /run/btrfs
  mount -t tmpfs -o size=1m tmpfs '/run/with space'
  truncate -s 400m /run/xfs.img && mkfs.xfs -q /run/xfs.img && mount -o loop /run/xfs.img /run/xfs && echo hello >/run/xfs/a
  truncate -s 200m /run/btrfs.img && mkfs.btrfs -q -L label /run/btrfs.img && mount -o loop /run/btrfs.img /run/btrfs && echo hello >/run/btrfs/a
  sync -f /run/btrfs
} >/dev/null 2>"$log"
grep -E '^(Error|Cannot|mount:|mkfs|modprobe|.*not found|.*No such)' "$log" | sed 's/^/world: /' >&2
rm -f "$log"
"$@"
