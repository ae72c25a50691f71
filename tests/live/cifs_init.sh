#!/bin/sh
# The first process of user-mode Linux: mounts the share as a clinic's server would, runs what looks on, ends.
# $1 a folder of the host that may be written to, $2 the Python to use
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt/home TMPDIR=/mnt/tmp LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/home /mnt/tmp /mnt/out /mnt/exports /mnt/local /mnt/modules/lib
mount -t hostfs none /mnt/out -o "$1"
ln -s /usr/lib/uml/modules /mnt/modules/lib/modules
printf '#!/bin/sh\nexec modprobe -d /mnt/modules "$@"\n' >/mnt/modprobe
chmod +x /mnt/modprobe
echo /mnt/modprobe >/proc/sys/kernel/modprobe
ip link set lo up
ip addr add 10.77.0.2/24 dev vec0
ip link set vec0 up
for module in hmac md5 cmac sha256_generic sha512_generic aes_generic ccm gcm ctr ecb cifs sch_netem; do
    /mnt/modprobe $module || echo "no module $module"
done
options=username=root,password=invented,ip=10.77.0.1,port=4455,vers=3.0,actimeo=1,echo_interval=2
for _ in 1 2 3 4 5 6 7 8 9 10; do # the server may still be starting
    mount -t cifs //10.77.0.1/camera /mnt/exports -o $options && break
    sleep 1
done
grep /mnt/exports /proc/mounts
"$2" "$(dirname "$0")/cifs_witness.py" /mnt/out
echo "the witness ended with $?"
echo o >/proc/sysrq-trigger
sleep 10
